/** @file How far the engine's files are, told as the download of a model is. */
import { Meter } from "./meter.ts";
import type { DownloadProgress } from "./types.ts";

/** A file that is here sooner, as one that the browser has kept is, is not worth a word. */
const UNTOLD_MS = 300;

/** Takes, file by file, how many bytes of it have come, of all; tells `onProgress`. `now` in milliseconds. */
export function engineDownload(
  onProgress: (progress: DownloadProgress) => void,
  now: () => number = () => performance.now(),
): (file: string, loadedBytes: number, totalBytes: number) => void {
  const startedMs = now();
  const meter = new Meter({ id: "ONNX Runtime", subject: "engine" }, (progress) => {
    if (now() - startedMs >= UNTOLD_MS) onProgress(progress);
  });
  const files = new Map<string, { readonly total: number; readonly loaded: number }>();
  return (file, loadedBytes, totalBytes) => {
    const before = files.get(file) ?? { total: totalBytes, loaded: 0 };
    // A host that unpacks what it sends sends more than was said.
    if (before.loaded >= before.total) return;
    if (!files.has(file)) {
      meter.expect(before.total, 0);
      meter.begin(file);
    }
    const loaded = Math.min(loadedBytes, before.total);
    files.set(file, { ...before, loaded });
    meter.add(loaded, loaded - before.loaded);
    if (loaded === before.total) meter.end(before.total);
  };
}
