/**
 * @file A student's weights from its directory: one safetensors file, or shards
 * behind an index. Which names and shapes a family needs is not known here.
 * Source: the layout that Hugging Face's `save_pretrained` writes.
 */
import { badInput } from "../core/errors.ts";
import type { Tensor } from "../onnx/types.ts";
import { checkRelativePath, missingFile, type FileSource } from "./fileSource.ts";
import { describeValue, isJsonObject, parseJsonObject } from "./json.ts";
import { parseSafetensors, type SafetensorsFile } from "./safetensors.ts";

export const WEIGHTS_FILE = "model.safetensors";
export const WEIGHTS_INDEX_FILE = "model.safetensors.index.json";

/**
 * All tensors by name, 16-bit floats as float32. `model.safetensors` is preferred to an
 * index, as transformers does. The tensors borrow the files' bytes.
 * @throws BadInputError for a missing file, a missing shard, a tensor that is not in the
 * shard the index names, a tensor the index does not know, or a damaged file.
 */
export async function loadWeights(source: FileSource): Promise<Map<string, Tensor>> {
  if (await source.has(WEIGHTS_FILE)) {
    const file = await openShard(source, WEIGHTS_FILE);
    return new Map(file.names.map((name) => [name, file.tensor(name)]));
  }
  if (await source.has(WEIGHTS_INDEX_FILE)) return loadShards(source);
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

async function loadShards(source: FileSource): Promise<Map<string, Tensor>> {
  const where = `${source.name}/${WEIGHTS_INDEX_FILE}`;
  const index = parseJsonObject(await source.readText(WEIGHTS_INDEX_FILE), where);
  const weightMap = index["weight_map"];
  if (!isJsonObject(weightMap)) badInput(where, "a weight_map object", describeValue(weightMap));
  const namesByShard = new Map<string, Set<string>>();
  for (const [name, shard] of Object.entries(weightMap)) {
    if (typeof shard !== "string")
      badInput(`${where}: weight_map[${JSON.stringify(name)}]`, "the name of a shard", describeValue(shard));
    checkRelativePath(shard, where);
    const names = namesByShard.get(shard) ?? new Set();
    namesByShard.set(shard, names.add(name));
  }
  if (namesByShard.size === 0) badInput(where, "a weight_map with tensors", "an empty one");

  const weights = new Map<string, Tensor>();
  for (const [shard, names] of namesByShard) {
    if (!(await source.has(shard)))
      badInput(
        where,
        `the shard ${shard} beside it`,
        "no such file",
        `Copy it to ${source.name}: the index says it holds ${names.size} tensors`,
      );
    const file = await openShard(source, shard);
    for (const name of file.names) {
      if (!names.has(name))
        badInput(
          `${source.name}/${shard}`,
          "only tensors that the index assigns to it",
          `${JSON.stringify(name)} as well`,
          `The index places it in ${describeValue(weightMap[name])}`,
        );
    }
    for (const name of names) {
      if (!file.has(name))
        badInput(
          `${source.name}/${shard}`,
          `the tensor ${JSON.stringify(name)} that the index places there`,
          `${file.names.length} tensors without it`,
        );
      weights.set(name, file.tensor(name));
    }
  }
  return weights;
}

async function openShard(source: FileSource, path: string): Promise<SafetensorsFile> {
  const file = parseSafetensors(await source.read(path), `${source.name}/${path}`);
  if (file.names.length === 0) badInput(`${source.name}/${path}`, "tensors", "none");
  return file;
}
