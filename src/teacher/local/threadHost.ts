/** @file A local model in this thread: for Node, whose ONNX Runtime computes beside it. A tab has a worker instead (`localWorker.ts`). */
import { throwIfAborted } from "../../core/errors.ts";
import { TeacherError } from "../teacherError.ts";
import type { LoadProgress, LocalHost, LocalModel, LocalSettings } from "./types.ts";

/** A place for the model that `load` opens. */
export function threadHost(
  load: (settings: LocalSettings, onProgress: (progress: LoadProgress) => void) => Promise<LocalModel>,
): LocalHost {
  let model: LocalModel | undefined;
  let closed = false;
  const dispose = (): void => void model?.dispose().catch(() => undefined);
  return {
    async open(settings, onProgress) {
      model = await load(settings, onProgress);
      if (closed) {
        dispose();
        throw new TeacherError("unavailable", "the model was put away");
      }
      return model.about;
    },
    async generate(request, signal) {
      throwIfAborted(signal, "teacher");
      if (model === undefined || closed) throw new TeacherError("unavailable", "no model is loaded");
      return model.generate(request, () => signal.aborted || closed);
    },
    close() {
      if (closed) return;
      closed = true;
      dispose();
    },
  };
}
