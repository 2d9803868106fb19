/**
 * @file The weights that a student was opened with, read one at a time from where they
 * are. Those of a small student stay in memory; of a large one only what is being
 * read is there, so that a model is never on the host as a whole. Values are float32.
 */
import { badInput, invariant } from "../core/errors.ts";
import { openCheckpoint, type Checkpoint } from "../formats/checkpoint.ts";
import type { FileSource } from "../formats/fileSource.ts";
import { elementCount } from "../onnx/shapes.ts";
import type { Tensor } from "../onnx/types.ts";
import type { Decoder } from "../nn/family.ts";
import type { Lora } from "../nn/lora.ts";
import { floatData, matchWeights, mergeLoraInto } from "./weights.ts";

/** A parameter's value, float32 with its shape; borrowed, not to be written to. */
export type ReadParameter = (name: string) => Promise<Tensor>;

export interface BaseWeights {
  /** Calls `body` with a reader that works until it ends. @throws BadInputError when the source no longer has them. */
  read<T>(body: (read: ReadParameter) => Promise<T>): Promise<T>;
}

/** Weights up to this size (16 million parameters) stay on the host: going back to them is then immediate. */
export const KEPT_BYTES = 64 * 1024 * 1024;

/**
 * The weights of a student directory, all there and of the right shapes.
 * @throws BadInputError naming the tensor that is missing or does not fit; of other dtypes only when they are read.
 */
export async function openBaseWeights(
  source: FileSource,
  decoder: Decoder,
  onWarning: (message: string) => void,
  keptBytes = KEPT_BYTES,
): Promise<BaseWeights> {
  const checkpoint = await openCheckpoint(source);
  let storedNames: ReadonlyMap<string, string>;
  try {
    storedNames = matchWeights(decoder, checkpoint, source.name, onWarning);
    const bytes = decoder.parameters.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
    if (bytes <= keptBytes) {
      const read = readerOf(checkpoint, storedNames);
      const kept = new Map<string, Tensor>();
      for (const { name } of decoder.parameters) kept.set(name, await read(name));
      return weightsInMemory(kept);
    }
  } finally {
    await checkpoint.close();
  }
  return {
    async read(body) {
      const again = await openCheckpoint(source);
      try {
        return await body(readerOf(again, storedNames));
      } finally {
        await again.close();
      }
    },
  };
}

function readerOf(checkpoint: Checkpoint, storedNames: ReadonlyMap<string, string>): ReadParameter {
  return async (name) => {
    const storedAs = storedNames.get(name);
    invariant(storedAs !== undefined, `'${name}' is a parameter of the student`);
    const tensor = await checkpoint.read(storedAs);
    floatData(tensor, name);
    return tensor;
  };
}

/** Weights that are in memory anyway. Borrows the map. */
export function weightsInMemory(tensors: ReadonlyMap<string, Tensor>): BaseWeights {
  return {
    read: (body) =>
      body(
        async (name) => tensors.get(name) ?? badInput("weights", `a tensor '${name}'`, `${tensors.size} without it`),
      ),
  };
}

/** The weights with an adapter merged in, as they are read. */
export function mergedWeights(
  base: BaseWeights,
  decoder: Decoder,
  lora: Lora,
  values: ReadonlyMap<string, Float32Array>,
): BaseWeights {
  const specs = new Map(decoder.parameters.map((spec) => [spec.name, spec]));
  return {
    read: (body) =>
      base.read((read) =>
        body(async (name) => {
          const spec = specs.get(name);
          invariant(spec !== undefined, `'${name}' is a parameter of the student`);
          return mergeLoraInto(spec, await read(name), lora, values);
        }),
      ),
  };
}
