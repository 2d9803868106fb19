/**
 * @file From checkpoint tensors to a decoder's parameters and back: names, shapes,
 * merged adapters. Values are float32 on the host.
 */
import { badInput, invariant } from "../core/errors.ts";
import { formatShape, sameShape } from "../onnx/shapes.ts";
import type { Tensor } from "../onnx/types.ts";
import type { Decoder } from "../nn/family.ts";
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

/**
 * The decoder's parameters among the checkpoint's tensors, under canonical names.
 * `onWarning` is told of tensors that no parameter takes, as transformers does.
 * @throws BadInputError for a missing tensor, another shape or a type that is not floating point.
 */
export function matchWeights(
  decoder: Decoder,
  checkpoint: ReadonlyMap<string, Tensor>,
  where: string,
  onWarning: (message: string) => void,
): Map<string, Tensor> {
  const found = new Map<string, { readonly tensor: Tensor; readonly storedAs: string }>();
  for (const [storedAs, tensor] of checkpoint) {
    const name = decoder.canonicalName(storedAs);
    if (name === undefined) continue;
    const other = found.get(name);
    if (other !== undefined) badInput(where, `one tensor for '${name}'`, `both '${other.storedAs}' and '${storedAs}'`);
    found.set(name, { tensor, storedAs });
  }
  const out = new Map<string, Tensor>();
  const missing: string[] = [];
  for (const { name, shape } of decoder.parameters) {
    const entry = found.get(name);
    found.delete(name);
    if (entry === undefined) {
      missing.push(name);
      continue;
    }
    if (!sameShape(entry.tensor.shape, shape)) {
      badInput(
        `${where}: '${entry.storedAs}'`,
        `shape ${formatShape(shape)} as config.json says`,
        formatShape(entry.tensor.shape),
        "config.json and the weights belong to different models",
      );
    }
    floatData(entry.tensor, name);
    out.set(name, entry.tensor);
  }
  if (missing.length > 0) {
    badInput(
      where,
      `all ${decoder.parameters.length} parameters of a ${decoder.family} model`,
      `${missing.length} missing: ${missing.slice(0, 4).join(", ")}${missing.length > 4 ? ", …" : ""}`,
    );
  }
  if (found.size > 0) {
    const names = [...found.values()].map((entry) => entry.storedAs);
    onWarning(
      `${where}: ${names.length} tensors that a ${decoder.family} model does not use are ignored: ${names.slice(0, 4).join(", ")}${names.length > 4 ? ", …" : ""}`,
    );
  }
  return out;
}

/** `W + scaling · B A` for every adapted layer (transposed for [in, out] weights); other tensors are shared. */
export function mergeLora(
  decoder: Decoder,
  weights: ReadonlyMap<string, Tensor>,
  lora: Lora,
  values: ReadonlyMap<string, Float32Array>,
): Map<string, Tensor> {
  const merged = new Map(weights);
  for (const spec of decoder.parameters) {
    const module = spec.linear && lora.modules.get(spec.linear.module);
    if (!spec.linear || module === undefined) continue;
    const base = weights.get(spec.name);
    const a = values.get(module.loraA);
    const b = values.get(module.loraB);
    invariant(base !== undefined && a !== undefined && b !== undefined, `weights and adapter of ${spec.name}`);
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
    merged.set(spec.name, { ...base, data });
  }
  return merged;
}
