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
  const loaded = new Map<string, number>();
  return (file, loadedBytes, totalBytes) => {
    const before = loaded.get(file);
    if (before === undefined) {
      meter.expect(totalBytes, 0);
      meter.begin(file);
    }
    loaded.set(file, loadedBytes);
    meter.add(loadedBytes, loadedBytes - (before ?? 0));
    if (loadedBytes >= totalBytes && (before ?? 0) < totalBytes) meter.end(totalBytes);
  };
}
