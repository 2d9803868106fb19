/**
 * @file A student's weights from its directory: one safetensors file, or shards behind
 * an index, read tensor by tensor. Which names and shapes a family needs is not known here.
 * Source: the layout that Hugging Face's `save_pretrained` writes.
 */
import { badInput } from "../core/errors.ts";
import type { Tensor } from "../onnx/types.ts";
import { checkRelativePath, missingFile, type FileSource, type OpenFile } from "./fileSource.ts";
import { describeValue, isJsonObject, parseJsonObject } from "./json.ts";
import {
  decodeTensor,
  parseSafetensorsHeader,
  readHeaderBytes,
  type SafetensorsDtype,
  type SafetensorsEntry,
} from "./safetensors.ts";

export const WEIGHTS_FILE = "model.safetensors";
export const WEIGHTS_INDEX_FILE = "model.safetensors.index.json";

/** Where exporters put a decoder, in the order of preference. */
export const ONNX_MODEL_PATHS: readonly string[] = [
  "onnx/model.onnx",
  "model.onnx",
  "onnx/model_fp16.onnx",
  "model_fp16.onnx",
  "onnx/decoder_model_merged.onnx",
  "decoder_model_merged.onnx",
  "onnx/decoder_model.onnx",
  "decoder_model.onnx",
];

/** A tensor as the files hold it: little-endian values of `dtype`. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/**
 * The tensors of all files, opened and checked but not read: a tensor is in memory from
 * its `read` on, for as long as the caller holds it. Close it once.
 */
export interface Checkpoint {
  /** Tensor names in the order of their data: reading in it never seeks back. */
  readonly names: readonly string[];
  /** Bytes of all tensors together. */
  readonly byteLength: number;
  has(name: string): boolean;
  /** What the header says of a tensor. @throws BadInputError when there is none of that name. */
  entry(name: string): SafetensorsEntry;
  /** The tensor's values, 16-bit floats as float32; owned by the caller. @throws BadInputError as `entry`, or for a dtype that has no values here. */
  read(name: string): Promise<Tensor>;
  /** The tensor's bytes, in its own dtype; owned by the caller. */
  readStored(name: string): Promise<StoredTensor>;
  close(): Promise<void>;
}

interface Shard {
  readonly file: OpenFile;
  readonly where: string;
  readonly entries: readonly SafetensorsEntry[];
  readonly dataStart: number;
}

/**
 * Opens the weights of a student. `model.safetensors` is preferred to an index, as
 * transformers does.
 * @throws BadInputError for a missing file, a missing shard, a tensor that is not in the
 * shard the index names, a tensor the index does not know, or a damaged file.
 */
export async function openCheckpoint(source: FileSource): Promise<Checkpoint> {
  const shards: Shard[] = [];
  try {
    for (const [path, check] of await findFiles(source)) {
      const shard = await openShard(source, path);
      shards.push(shard);
      check(shard.entries.map(({ name }) => name));
    }
  } catch (error) {
    await closeAll(shards);
    throw error;
  }
  const places = new Map(shards.flatMap((shard) => shard.entries.map((entry) => [entry.name, { shard, entry }])));
  const find = (name: string): { readonly shard: Shard; readonly entry: SafetensorsEntry } =>
    places.get(name) ?? badInput(source.name, `a tensor ${JSON.stringify(name)}`, `${places.size} tensors without it`);
  const bytesOf = ({ shard, entry }: ReturnType<typeof find>): Promise<Uint8Array> =>
    shard.file.read(shard.dataStart + entry.begin, shard.dataStart + entry.end);
  return {
    names: [...places.keys()],
    byteLength: [...places.values()].reduce((sum, { entry }) => sum + entry.end - entry.begin, 0),
    has: (name) => places.has(name),
    entry: (name) => find(name).entry,
    async read(name) {
      const place = find(name);
      return decodeTensor(place.entry, await bytesOf(place), place.shard.where);
    },
    async readStored(name) {
      const place = find(name);
      const { dtype, shape } = place.entry;
      return { name, dtype, shape, bytes: await bytesOf(place) };
    },
    close: () => closeAll(shards),
  };
}

/** All tensors by name, 16-bit floats as float32, owned by the caller. @throws BadInputError as `openCheckpoint` and its `read`. */
export async function loadWeights(source: FileSource): Promise<Map<string, Tensor>> {
  const checkpoint = await openCheckpoint(source);
  try {
    const weights = new Map<string, Tensor>();
    for (const name of checkpoint.names) weights.set(name, await checkpoint.read(name));
    return weights;
  } finally {
    await checkpoint.close();
  }
}

/** Checks the names of the tensors that were found in a file. */
type CheckNames = (names: readonly string[]) => void;

async function findFiles(source: FileSource): Promise<readonly (readonly [string, CheckNames])[]> {
  if (await source.has(WEIGHTS_FILE)) return [[WEIGHTS_FILE, () => undefined]];
  if (await source.has(WEIGHTS_INDEX_FILE)) return findShards(source);
  for (const pickle of ["pytorch_model.bin", "pytorch_model.bin.index.json"]) {
    if (await source.has(pickle)) {
      badInput(
        source.name,
        `${WEIGHTS_FILE} or ${WEIGHTS_INDEX_FILE}`,
        `weights only as ${pickle}`,
        "Convert them: load the model with transformers and call save_pretrained(directory, safe_serialization=True)",
      );
    }
  }
  missingFile(source.name, `${WEIGHTS_FILE} or ${WEIGHTS_INDEX_FILE}`, "neither");
}

async function findShards(source: FileSource): Promise<readonly (readonly [string, CheckNames])[]> {
  const where = `${source.name}/${WEIGHTS_INDEX_FILE}`;
  const weightMap = parseWeightMap(await source.readText(WEIGHTS_INDEX_FILE), where);
  const files: (readonly [string, CheckNames])[] = [];
  for (const shard of new Set(weightMap.values())) {
    const expected = [...weightMap].flatMap(([name, file]) => (file === shard ? [name] : []));
    if (!(await source.has(shard)))
      badInput(
        where,
        `the shard ${shard} beside it`,
        "no such file",
        `Copy it to ${source.name}: the index says it holds ${expected.length} tensors`,
      );
    files.push([shard, (names) => checkShard(names, expected, weightMap, `${source.name}/${shard}`)]);
  }
  return files;
}

/**
 * Shard by tensor name, from the text of an index.
 * @throws BadInputError when it is no index, names no tensor, or a shard outside its directory.
 */
export function parseWeightMap(text: string, where: string): ReadonlyMap<string, string> {
  const weightMap = parseJsonObject(text, where)["weight_map"];
  if (!isJsonObject(weightMap)) badInput(where, "a weight_map object", describeValue(weightMap));
  const shards = new Map<string, string>();
  for (const [name, shard] of Object.entries(weightMap)) {
    if (typeof shard !== "string")
      badInput(`${where}: weight_map[${JSON.stringify(name)}]`, "the name of a shard", describeValue(shard));
    shards.set(name, checkRelativePath(shard, where));
  }
  if (shards.size === 0) badInput(where, "a weight_map with tensors", "an empty one");
  return shards;
}

function checkShard(
  names: readonly string[],
  expected: readonly string[],
  weightMap: ReadonlyMap<string, string>,
  where: string,
): void {
  const wanted = new Set(expected);
  for (const name of names) {
    if (!wanted.has(name))
      badInput(
        where,
        "only tensors that the index assigns to it",
        `${JSON.stringify(name)} as well`,
        `The index places it in ${describeValue(weightMap.get(name))}`,
      );
  }
  const found = new Set(names);
  for (const name of expected) {
    if (!found.has(name))
      badInput(
        where,
        `the tensor ${JSON.stringify(name)} that the index places there`,
        `${names.length} tensors without it`,
      );
  }
}

async function openShard(source: FileSource, path: string): Promise<Shard> {
  const where = `${source.name}/${path}`;
  const file = await source.open(path);
  try {
    const headerBytes = readHeaderBytes(await file.read(0, Math.min(8, file.size)), file.size, where);
    const { entries, dataStart } = parseSafetensorsHeader(await file.read(0, headerBytes), file.size, where);
    if (entries.length === 0) badInput(where, "tensors", "none");
    return { file, where, entries, dataStart };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function closeAll(shards: readonly Shard[]): Promise<void> {
  for (const { file } of shards) await file.close();
}
