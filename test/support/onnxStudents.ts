/** @file Students whose weights are an ONNX model: config and tokenizer of a fixture beside any model bytes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { memorySource, type FileSource } from "../../src/formats/fileSource.ts";
import { studentDirectory } from "./goldens.ts";

/** Students that PyTorch exported (`scripts/golden/exportOnnxStudents.py`). */
export const EXPORTED_BY_PYTORCH = ["llama-gqa-tied", "gpt2-prefixed", "qwen2-tied-f16"] as const;

export function pytorchExport(name: string): Uint8Array {
  return new Uint8Array(
    readFileSync(join(import.meta.dirname, "..", "golden", "fixtures", "onnxStudents", `${name}.onnx`)),
  );
}

/** The fixture student `name` with `model` in place of its weights. */
export function onnxStudentSource(name: string, model: Uint8Array, path = "onnx/model.onnx"): FileSource {
  const directory = studentDirectory(name);
  const files = new Map<string, Uint8Array>([[path, model]]);
  for (const file of ["config.json", "tokenizer.json", "tokenizer_config.json"])
    files.set(file, new Uint8Array(readFileSync(join(directory, file))));
  return memorySource(files, `${name} as ONNX`);
}
