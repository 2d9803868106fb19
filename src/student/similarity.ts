/**
 * @file Inner products of all pairs of rows, from which distances between them follow: of
 * mean hidden states, or of last-layer gradients (BADGE). Rows are taken in blocks; a block's
 * features stay on the device while they are needed.
 */
import { invariant, throwIfAborted } from "../core/errors.ts";
import type { Tensor } from "../onnx/types.ts";
import type { DeviceTensor, RunResult } from "../runtime/types.ts";
import { bucketLength, powerOfTwo } from "./batches.ts";
import type { ParameterStore } from "./parameterStore.ts";
import type { SessionCache } from "./sessionCache.ts";
import type { BlockShape } from "./similarityGraphs.ts";
import type { EncodedRow, SimilarityKind } from "./types.ts";

/** Largest tensor of a block or of a product: the smallest storage-buffer binding that WebGPU guarantees. */
const MAX_TENSOR_BYTES = 128 * 1024 * 1024;
const MAX_KEPT_BYTES = 512 * 1024 * 1024;
const ROWS_PER_BLOCK = 16;
/** Counted positions of a block; a single row with more gets the next power of two. One size, so that one graph serves nearly all. */
const POSITIONS_PER_BLOCK = 512;

interface Block {
  readonly shape: BlockShape;
  /** Indices of its rows. */
  readonly indices: readonly number[];
}

interface Parts {
  readonly store: ParameterStore;
  readonly sessions: SessionCache;
  readonly maxPositions: number;
}

export interface SimilarityOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
  /** Rows of one graph run at most, 16 by default. Like `maxKeptBytes` it changes no number but rounding. */
  readonly rowsPerBlock?: number;
  /** Features kept on the device at once, 512 MiB by default; a pool with more has some computed again. */
  readonly maxKeptBytes?: number;
}

/**
 * `⟨x_i, x_j⟩` for all pairs of rows, row-major [n·n], where x of a row is
 * - `hidden`: the mean over its counted positions of the final hidden state that predicts the token there;
 * - `badge`: the gradient of its summed loss with respect to the output head, `Σ_t (p_t − onehot_t) ⊗ h_t`
 *   (Ash et al. 2020, arXiv 1906.03671), as products `Σ_{t,s} (a_t·a'_s)(h_t·h'_s)`: no gradient is ever formed.
 * @throws TutelageError aborted.
 */
export async function innerProducts(
  parts: Parts,
  rows: readonly EncodedRow[],
  kind: SimilarityKind,
  options: SimilarityOptions = {},
): Promise<Float64Array> {
  if (kind === "hidden") return hiddenProducts(parts, rows, options);
  const blocks = blocksOf(parts, rows, kind, options.rowsPerBlock ?? ROWS_PER_BLOCK);
  return gradientProducts(parts, rows, blocks, options);
}

/** Rows in blocks that hold as many counted positions as fit, longest answers first. */
function blocksOf(
  { sessions, maxPositions }: Parts,
  rows: readonly EncodedRow[],
  kind: SimilarityKind,
  rowsPerBlock: number,
): Block[] {
  const order = rows
    .map((row, index) => ({ index, counted: row.completionTokens, length: row.ids.length - 1 }))
    .sort((a, b) => b.counted - a.counted || b.length - a.length || a.index - b.index);
  const { vocabSize } = sessions.blueprint.decoder;
  const fitting = kind === "hidden" ? Infinity : Math.floor(MAX_TENSOR_BYTES / (4 * vocabSize));
  const usual = Math.max(1, Math.min(POSITIONS_PER_BLOCK, fitting));
  const blocks: Block[] = [];
  for (let start = 0; start < order.length;) {
    const longest = order[start]?.counted ?? 1;
    const positions = longest <= usual ? usual : powerOfTwo(longest, Number.MAX_SAFE_INTEGER);
    const members: typeof order = [];
    let used = 0;
    for (const next of order.slice(start, start + rowsPerBlock)) {
      if (used + next.counted > positions) break;
      used += next.counted;
      members.push(next);
    }
    const length = bucketLength(Math.max(...members.map((member) => member.length)), maxPositions);
    blocks.push({
      shape: { batch: rowsPerBlock, length, positions },
      indices: members.map(({ index }) => index),
    });
    start += members.length;
  }
  return blocks;
}

/** 1 where a position of the block is the row's, float32 [B, M]. */
function membersOf({ shape, indices }: Block, rows: readonly EncodedRow[]): Tensor {
  const { batch, positions } = shape;
  const data = new Float32Array(batch * positions);
  let next = 0;
  indices.forEach((index, b) => {
    const count = rows[index]?.completionTokens ?? 0;
    data.fill(1, b * positions + next, b * positions + next + count);
    next += count;
  });
  return { type: "float32", shape: [batch, positions], data };
}

/** Runs a block's features; the outputs are the caller's. */
async function features(
  { store, sessions }: Parts,
  rows: readonly EncodedRow[],
  block: Block,
  kind: SimilarityKind,
): Promise<RunResult> {
  const { batch, length, positions } = block.shape;
  const ids = new Int32Array(batch * length);
  const at = new Int32Array(positions);
  const targets = new Int32Array(positions);
  let next = 0;
  block.indices.forEach((index, b) => {
    const row = rows[index];
    invariant(row !== undefined, "blocks stay inside the rows");
    const last = row.ids.length - 1;
    ids.set(row.ids.subarray(0, last), b * length);
    for (let t = 0; t < last; t++) {
      if (row.lossMask === undefined ? t < last - row.completionTokens : row.lossMask[t + 1] !== 1) continue;
      at[next] = b * length + t;
      targets[next++] = row.ids[t + 1] ?? 0;
    }
  });
  const session = await sessions.features(block.shape, kind);
  const feeds = {
    ...store.feeds(session),
    ids: { type: "int32", shape: [batch, length], data: ids } as const,
    rows: { type: "int32", shape: [positions], data: at } as const,
  };
  return kind === "hidden"
    ? session.run({ ...feeds, members: membersOf(block, rows) }, { sumHidden: "host" })
    : session.run(
        { ...feeds, targets: { type: "int32", shape: [positions, 1], data: targets } },
        { errors: "device", states: "device" },
      );
}

/** Mean over each row's counted positions of the final hidden state that predicts the token there, [D] each. @throws TutelageError aborted. */
export async function meanStates(
  parts: Parts,
  rows: readonly EncodedRow[],
  options: SimilarityOptions = {},
): Promise<readonly Float64Array[]> {
  const vectors = new Array<Float64Array>(rows.length);
  let done = 0;
  for (const block of blocksOf(parts, rows, "hidden", options.rowsPerBlock ?? ROWS_PER_BLOCK)) {
    throwIfAborted(options.signal, "hidden states");
    const { data } = (await features(parts, rows, block, "hidden")).host("sumHidden");
    const width = data.length / block.shape.batch;
    block.indices.forEach((index, b) => {
      const count = rows[index]?.completionTokens ?? 1;
      vectors[index] = Float64Array.from({ length: width }, (_, d) => Number(data[b * width + d]) / count);
    });
    options.onProgress?.((done += block.indices.length), rows.length);
  }
  return vectors;
}

async function hiddenProducts(
  parts: Parts,
  rows: readonly EncodedRow[],
  options: SimilarityOptions,
): Promise<Float64Array> {
  const vectors = await meanStates(parts, rows, options);
  const out = new Float64Array(rows.length * rows.length);
  vectors.forEach((x, i) => {
    for (let j = 0; j <= i; j++) {
      const y = vectors[j] ?? x;
      let sum = 0;
      for (let d = 0; d < x.length; d++) sum += (x[d] ?? 0) * (y[d] ?? 0);
      out[i * rows.length + j] = out[j * rows.length + i] = sum;
    }
  });
  return out;
}

interface Kept {
  readonly block: Block;
  readonly errors: DeviceTensor;
  readonly states: DeviceTensor;
  readonly members: Tensor;
}

async function gradientProducts(
  parts: Parts,
  rows: readonly EncodedRow[],
  blocks: readonly Block[],
  options: SimilarityOptions,
): Promise<Float64Array> {
  const out = new Float64Array(rows.length * rows.length);
  const maxKeptBytes = options.maxKeptBytes ?? MAX_KEPT_BYTES;
  const pairs = (blocks.length * (blocks.length + 1)) / 2;
  let done = 0;
  const load = async (block: Block): Promise<Kept> => {
    throwIfAborted(options.signal, "gradient embeddings");
    const result = await features(parts, rows, block, "badge");
    return {
      block,
      errors: result.device("errors"),
      states: result.device("states"),
      members: membersOf(block, rows),
    };
  };
  const release = (kept: Kept): void => {
    kept.errors.dispose();
    kept.states.dispose();
  };
  const multiply = async (a: Kept, b: Kept): Promise<void> => {
    throwIfAborted(options.signal, "gradient embeddings");
    const session = await parts.sessions.gradientProducts(a.block.shape, b.block.shape);
    const feeds = {
      "errors.a": a.errors,
      "states.a": a.states,
      "members.a": a.members,
      "errors.b": b.errors,
      "states.b": b.states,
      "members.b": b.members,
    };
    const { data } = (await session.run(feeds, { products: "host" })).host("products");
    a.block.indices.forEach((i, x) =>
      b.block.indices.forEach((j, y) => {
        const value = Number(data[x * b.block.shape.batch + y]);
        out[i * rows.length + j] = out[j * rows.length + i] = value;
      }),
    );
    options.onProgress?.(Math.floor((++done / pairs) * rows.length), rows.length);
  };

  for (let start = 0; start < blocks.length;) {
    const kept: Kept[] = [];
    try {
      let bytes = 0;
      let next = start;
      for (; next < blocks.length; next++) {
        const block = blocks[next];
        invariant(block !== undefined, "blocks are counted");
        const size = featureBytes(parts, block);
        // One more is loaded at a time for the blocks that do not fit.
        if (kept.length > 0 && bytes + 2 * size > maxKeptBytes) break;
        bytes += size;
        kept.push(await load(block));
      }
      for (const [i, a] of kept.entries()) for (const b of kept.slice(i)) await multiply(a, b);
      for (const block of blocks.slice(next)) {
        const other = await load(block);
        try {
          for (const a of kept) await multiply(a, other);
        } finally {
          release(other);
        }
      }
      start = next;
    } finally {
      kept.forEach(release);
    }
  }
  return out;
}

function featureBytes({ sessions }: Parts, { shape }: Block): number {
  const { vocabSize, hiddenSize } = sessions.blueprint.decoder;
  return 4 * shape.positions * (vocabSize + hiddenSize);
}
