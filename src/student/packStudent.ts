/**
 * @file A student as one file to hand out: a zip archive of what `save.ts` and
 * `exportOnnx.ts` write. For pages, which have no folders; stored uncompressed, because
 * weights do not compress.
 */
import { zipSync } from "fflate";
import { badInput } from "../core/errors.ts";
import { memorySink } from "../formats/fileSource.ts";
import { exportOnnx } from "./exportOnnx.ts";
import { saveLora, saveStudent } from "./save.ts";
import type { LanguageModel } from "./student.ts";
import type { StudentFormat } from "./types.ts";

/** Zip archive of the student as it is now, in `format`; owned by the caller. @throws as the writers of that format. */
export async function packStudent(student: LanguageModel, format: StudentFormat): Promise<Uint8Array> {
  let files: ReadonlyMap<string, Uint8Array> = new Map();
  const sink = memorySink((written) => (files = written), format);
  switch (format) {
    case "onnx":
      await exportOnnx(student, sink);
      break;
    case "safetensors":
      await saveStudent(student, sink);
      break;
    case "adapter":
      if (student.model.loraConfig === undefined)
        badInput("adapter", "a student that trains an adapter (LoRA)", "one that trains all its weights");
      await saveLora(student, sink);
      break;
    default:
      badInput("format of a student", "safetensors, onnx or adapter", String(format satisfies never));
  }
  await sink.commit();
  return zipSync(Object.fromEntries(files), { level: 0 });
}
