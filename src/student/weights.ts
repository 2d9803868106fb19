/**
 * @file From checkpoint tensors to a decoder's parameters and back: names, shapes,
 * merged adapters. Values are float32 on the host.
 */
import { badInput, invariant } from "../core/errors.ts";
import { formatShape, sameShape } from "../onnx/shapes.ts";
import type { Tensor } from "../onnx/types.ts";
import type { Decoder, ParameterSpec } from "../nn/family.ts";
import type { Lora } from "../nn/lora.ts";

/** Float32 data of a parameter tensor. */
export function floatData(tensor: Tensor, name: string): Float32Array {
  if (!(tensor.data instanceof Float32Array))
    badInput(
      `weights '${name}'`,
      "float32, float16 or bfloat16 values",
      tensor.type,
      "Convert the checkpoint, for example to float32",
    );
  return tensor.data;
}

/** What matching needs to know of a checkpoint. */
export interface StoredShapes {
  readonly names: readonly string[];
  entry(name: string): { readonly shape: readonly number[] };
}

/**
 * The checkpoint's name of every parameter of the decoder, by the parameter's own name.
 * `onWarning` is told of tensors that no parameter takes, as transformers does.
 * @throws BadInputError for a missing tensor or another shape.
 */
export function matchWeights(
  decoder: Decoder,
  checkpoint: StoredShapes,
  where: string,
  onWarning: (message: string) => void,
): Map<string, string> {
  const found = new Map<string, string>();
  for (const storedAs of checkpoint.names) {
    const name = decoder.canonicalName(storedAs);
    if (name === undefined) continue;
    const other = found.get(name);
    if (other !== undefined) badInput(where, `one tensor for '${name}'`, `both '${other}' and '${storedAs}'`);
    found.set(name, storedAs);
  }
  const out = new Map<string, string>();
  const missing: string[] = [];
  for (const { name, shape } of decoder.parameters) {
    const storedAs = found.get(name);
    found.delete(name);
    if (storedAs === undefined) {
      missing.push(name);
      continue;
    }
    const stored = checkpoint.entry(storedAs).shape;
    if (!sameShape(stored, shape)) {
      badInput(
        `${where}: '${storedAs}'`,
        `shape ${formatShape(shape)} as config.json says`,
        formatShape(stored),
        "config.json and the weights belong to different models",
      );
    }
    out.set(name, storedAs);
  }
  if (missing.length > 0) {
    badInput(
      where,
      `all ${decoder.parameters.length} parameters of a ${decoder.family} model`,
      `${missing.length} missing: ${missing.slice(0, 4).join(", ")}${missing.length > 4 ? ", …" : ""}`,
    );
  }
  if (found.size > 0) {
    const names = [...found.values()];
    onWarning(
      `${where}: ${names.length} tensors that a ${decoder.family} model does not use are ignored: ${names.slice(0, 4).join(", ")}${names.length > 4 ? ", …" : ""}`,
    );
  }
  return out;
}

/** `W + scaling · B A` where the layer of `spec` is adapted (transposed for [in, out] weights); else `base` itself. */
export function mergeLoraInto(
  spec: ParameterSpec,
  base: Tensor,
  lora: Lora,
  values: ReadonlyMap<string, Float32Array>,
): Tensor {
  const module = spec.linear && lora.modules.get(spec.linear.module);
  if (!spec.linear || module === undefined) return base;
  const a = values.get(module.loraA);
  const b = values.get(module.loraB);
  invariant(a !== undefined && b !== undefined, `adapter of ${spec.name}`);
  const [rows = 0, columns = 0] = spec.shape;
  const transposed = spec.linear.layout === "in-out";
  const inSize = transposed ? rows : columns;
  const data = Float32Array.from(floatData(base, spec.name));
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [out, input] = transposed ? [column, row] : [row, column];
      let sum = 0;
      for (let k = 0; k < module.r; k++) sum += (b[out * module.r + k] ?? 0) * (a[k * inSize + input] ?? 0);
      data[row * columns + column] = (data[row * columns + column] ?? 0) + module.scaling * sum;
    }
  }
  return { ...base, data };
}
