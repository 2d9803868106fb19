/** @file Between our tensors and those of ONNX Runtime's JavaScript API. Views where possible; not for GPU buffers. */
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common";
import { TutelageError } from "../core/errors.ts";
import { elementCount } from "../onnx/shapes.ts";
import type { Tensor, Value } from "../onnx/types.ts";
import { bytesOf, isDataType, viewAs } from "./dataTypes.ts";
import type { OrtNode, OrtWeb } from "./platform.ts";

/** A host tensor of ONNX Runtime over the same data. */
export function toOrt(ort: Pick<OrtWeb, "Tensor">, { type, shape, data }: Tensor): OrtTensor {
  // The constructor's overloads tie each type to its array; `Tensor` promises the same pairing.
  return new ort.Tensor(type as "float32", data as Float32Array, shape);
}

/**
 * A host tensor for onnxruntime-node. Where JavaScript has Float16Array (Node 24 and later) ONNX Runtime's tensors of
 * float16 carry one, which the native side of 1.30 takes for no memory; it reads Uint16Array.
 */
export function toOrtNode(ort: Pick<OrtNode, "Tensor">, tensor: Tensor): OrtTensor {
  const made = toOrt(ort, tensor);
  return tensor.type === "float16" ? Object.defineProperty(made, "data", { value: tensor.data }) : made;
}

/** Our form of a host tensor of ONNX Runtime, over the same data. @throws TutelageError unsupported (element type). */
export function fromOrt(tensor: OrtTensor): Tensor {
  const { type, dims, data } = tensor;
  if (!isDataType(type) || !ArrayBuffer.isView(data))
    throw new TutelageError("unsupported", `ONNX Runtime: tensors of ${type} are not handled`);
  const bytes = bytesOf(data);
  return { type, shape: dims, data: viewAs(type, bytes.buffer, bytes.byteOffset, elementCount(dims)) };
}

/** The declared inputs or outputs of a session; a dimension that is not known is `""`. @throws TutelageError unsupported. */
export function declaredValues(metadata: readonly InferenceSession.ValueMetadata[]): Value[] {
  return metadata.map((value) => {
    if (!value.isTensor || !isDataType(value.type)) {
      throw new TutelageError(
        "unsupported",
        `model value '${value.name}': only tensors of numbers and bool are handled, got ${value.isTensor ? value.type : "no tensor"}`,
      );
    }
    return {
      name: value.name,
      type: value.type,
      shape: value.shape.map((dim) => (typeof dim === "number" && dim < 0 ? "" : dim)),
    };
  });
}
