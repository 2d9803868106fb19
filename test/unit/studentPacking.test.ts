/** @file Several rows in one sequence: bins, the choice of their length, and gradients equal to those of padded rows. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { parseDecoder } from "../../src/nn/families.ts";
import { NO_LORA } from "../../src/nn/lora.ts";
import { elementCount } from "../../src/onnx/shapes.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { makeMicroBatch, type MicroBatch } from "../../src/student/batches.ts";
import {
  attentionCost,
  packLengths,
  packMicroBatch,
  type PackingPlan,
  planPacking,
} from "../../src/student/packing.ts";
import { layoutParameters } from "../../src/student/parameterLayout.ts";
import { ParameterStore } from "../../src/student/parameterStore.ts";
import { SessionCache } from "../../src/student/sessionCache.ts";
import type { EncodedRow } from "../../src/student/types.ts";

const lengthsUpTo = (capacity: number) =>
  fc.array(fc.integer({ min: 1, max: capacity }), { minLength: 1, maxLength: 40 });

test("every row is in one bin, no bin overflows, and no two bins would fit into one", () => {
  fc.assert(
    fc.property(lengthsUpTo(64), (lengths) => {
      const bins = packLengths(lengths, 64);
      expect(bins.flat().toSorted((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
      const used = bins.map((bin) => bin.reduce((sum, index) => sum + lengths[index]!, 0)).toSorted((a, b) => a - b);
      expect(used.at(-1)).toBeLessThanOrEqual(64);
      if (used.length > 1) expect(used[0]! + used[1]!).toBeGreaterThan(64);
    }),
  );
});

const rowOf = (length: number): EncodedRow => ({ id: "", ids: new Int32Array(length + 1), completionTokens: 1 });

describe("the plan of a training", () => {
  const plan = (batches: readonly (readonly number[])[], batchCount = 1000) =>
    planPacking({
      batches,
      batchCount,
      fullBatch: batches[0]!.length,
      graphsPerShape: 1,
      maxPositions: 256,
      attentionCost: 1e-3,
    });
  const mixed = (seed: number, shortest: number, longest: number): number[][] => {
    const rng = new Rng(seed);
    return Array.from({ length: 100 }, () => Array.from({ length: 16 }, () => rng.integer(shortest, longest)));
  };

  test("packs rows of mixed lengths, but not rows that fill their batch anyway", () => {
    const batches = mixed(1, 20, 100);
    const chosen = plan(batches)!;
    const padded = batches.reduce((sum, lengths) => sum + 16 * Math.ceil(Math.max(...lengths) / 16) * 16, 0);
    const packed = batches.reduce((sum, lengths) => {
      const { batch, length } = packMicroBatch(lengths.map(rowOf), chosen);
      return sum + batch * length;
    }, 0);
    expect(packed).toBeLessThan(0.75 * padded);
    expect(plan(batches.map((lengths) => lengths.map(() => 64)))).toBeUndefined();
    expect(plan([[50], [90]])).toBeUndefined();
  });

  test("has graphs for what batches need often, the largest always, and fewer for a short training", () => {
    const batches = mixed(2, 20, 100);
    const long = plan(batches, 10_000)!;
    const short = plan(batches, 100)!;
    const graphs = ({ sequences }: PackingPlan): number => [...sequences.values()].flat().length;
    for (const chosen of [long, short]) {
      for (const lengths of batches) {
        const batch = packMicroBatch(lengths.map(rowOf), chosen);
        const counts = chosen.sequences.get(batch.length)!;
        expect(counts).toContain(batch.batch);
        expect(counts).toEqual(counts.toSorted((a, b) => a - b));
      }
    }
    expect(graphs(short)).toBeLessThan(graphs(long));
  });

  test("does not let one long row stretch the sequences of all others", () => {
    const batches = mixed(3, 10, 60);
    batches[7]![3] = 250;
    expect(plan(batches)!.length).toBeLessThanOrEqual(160);
  });

  test("leaves a training of two steps alone when packing would need more graphs", () => {
    const batches = [
      [64, 64, 64, 60],
      [64, 40, 30, 20],
    ];
    expect(plan(batches, 2)).toBeUndefined();
  });
});

describe("a packed micro-batch", () => {
  const rows: EncodedRow[] = [
    { id: "a", ids: Int32Array.of(1, 2, 3, 4), completionTokens: 2 },
    { id: "b", ids: Int32Array.of(5, 6), completionTokens: 1 },
    { id: "c", ids: Int32Array.from({ length: 31 }, (_, i) => i), completionTokens: 30 },
  ];
  const PLAN = { length: 32, sequences: new Map([[32, [3, 5]]]) };
  const batch = packMicroBatch(rows, PLAN);

  test("says which row a token is of and where it stands in it", () => {
    expect([batch.batch, batch.length, batch.inputTokens, batch.lossTokens]).toEqual([3, 32, 34, 33]);
    const line = (
      name: "ids" | "targets" | "weights" | "segments" | "positions.int32",
      b: number,
      n: number,
    ): number[] => Array.from(batch.feeds[name].data, Number).slice(32 * b, 32 * b + n);
    expect(line("segments", 0, 32)).toEqual([...new Array<number>(30).fill(1), 2, 0]);
    expect(line("positions.int32", 0, 32)).toEqual([...Array.from({ length: 30 }, (_, i) => i), 0, 0]);
    expect(line("ids", 0, 32).slice(28)).toEqual([28, 29, 5, 0]);
    expect(line("targets", 0, 32).slice(28)).toEqual([29, 30, 6, 0]);
    expect(line("ids", 1, 5)).toEqual([1, 2, 3, 0, 0]);
    expect(line("targets", 1, 5)).toEqual([2, 3, 4, 0, 0]);
    expect(line("weights", 1, 5)).toEqual([0, 1, 1, 0, 0]);
    expect(line("weights", 0, 32)).toEqual([...new Array<number>(31).fill(1), 0]);
    expect(Array.from(batch.feeds["positions.int64"].data, Number)).toEqual(
      Array.from(batch.feeds["positions.int32"].data, Number),
    );
  });

  test("has the planned number of sequences, or more when it must", () => {
    expect(packMicroBatch([...rows, ...rows, ...rows], PLAN).batch).toBe(5);
    expect(
      packMicroBatch([...rows, ...rows, ...rows, ...rows], { length: 32, sequences: new Map([[32, [3]]]) }).batch,
    ).toBeGreaterThan(3);
  });

  test("is longer for a row that is longer than planned", () => {
    const long: EncodedRow = { id: "d", ids: Int32Array.from({ length: 42 }, () => 1), completionTokens: 5 };
    expect([packMicroBatch([long], PLAN).length, packMicroBatch([...rows, long], PLAN).length]).toEqual([64, 64]);
  });
});

const FAMILIES: Record<string, Record<string, unknown>> = {
  llama: {
    model_type: "llama",
    hidden_size: 24,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    intermediate_size: 40,
    num_hidden_layers: 2,
    vocab_size: 19,
    max_position_embeddings: 64,
    tie_word_embeddings: true,
  },
  gpt2: { model_type: "gpt2", n_embd: 24, n_head: 3, n_layer: 2, n_positions: 64, vocab_size: 19 },
};

describe.each(Object.entries(FAMILIES))("%s", (_family, config) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine("cpu", { threads: 1 });
  });
  afterAll(() => engine.dispose());

  test("packed rows have the loss and the gradient of padded ones", async () => {
    const decoder = parseDecoder(config, "test");
    const layout = layoutParameters(decoder, NO_LORA, "full");
    const rng = new Rng(3);
    const values = new Map(
      decoder.parameters.map(({ name, shape }) => [
        name,
        Float32Array.from({ length: elementCount(shape) }, () => 0.3 * rng.normal()),
      ]),
    );
    const store = new ParameterStore(engine, layout, new Map(), values);
    const sessions = new SessionCache(engine, { decoder, lora: NO_LORA, layout });
    const rows = Array.from({ length: 7 }, (_, i): EncodedRow => {
      const ids = Int32Array.from({ length: rng.integer(3, 28) }, () => rng.integer(0, 18));
      return { id: String(i), ids, completionTokens: rng.integer(1, ids.length - 1) };
    });
    const run = async (batch: MicroBatch, packed: boolean): Promise<Float64Array> => {
      const session = await sessions.train(batch.batch, batch.length, { accumulate: false, packed });
      const feeds = Object.fromEntries(
        Object.entries(batch.feeds).filter(([name]) => session.inputNames.includes(name)),
      );
      const outputs = Object.fromEntries(session.outputNames.map((name) => [name, "host" as const]));
      const result = await session.run({ ...store.feeds(session), ...feeds }, outputs);
      return Float64Array.from(session.outputNames.flatMap((name) => Array.from(result.host(name).data, Number)));
    };
    const padded = await run(makeMicroBatch(rows, 8, 64), false);
    const batch = packMicroBatch(rows, { length: 64, sequences: new Map() });
    expect(batch.batch).toBeLessThan(4);
    const packed = await run(batch, true);
    expect(packed.length).toBe(padded.length);
    const norm = (values: Float64Array): number => Math.hypot(...values);
    expect(norm(packed.map((value, i) => value - padded[i]!)) / norm(padded)).toBeLessThan(1e-6);
    await sessions.dispose();
    store.dispose();
  });

  test("attention is a small part of a model's operations", () => {
    const cost = attentionCost(parseDecoder(config, "test"));
    expect(cost).toBeGreaterThan(0);
    expect(cost).toBeLessThan(0.1);
  });
});
