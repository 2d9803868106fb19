/** @file How far a download of one or more files is, and how fast. */
import type { DownloadProgress } from "./types.ts";

const PROGRESS_EVERY_MS = 100;
const RATE_OVER_MS = 3000;

/** Adds up what comes, and tells it now and then. */
export class Meter {
  fetchedBytes = 0;
  readonly #of: Pick<DownloadProgress, "id" | "subject">;
  readonly #tell: ((progress: DownloadProgress) => void) | undefined;
  #total = 0;
  /** Bytes of the files that are complete. */
  #done = 0;
  /** Bytes of the file that is coming. */
  #loaded = 0;
  #path = "";
  #toldAt = -Infinity;
  /** When how many bytes had been fetched, over the last seconds. */
  #marks: { readonly at: number; readonly bytes: number }[] = [];

  constructor(of: Pick<DownloadProgress, "id" | "subject">, tell: ((progress: DownloadProgress) => void) | undefined) {
    this.#of = of;
    this.#tell = tell;
  }

  /** A file of `size` bytes is to come, of which `here` are here. */
  expect(size: number, here: number): void {
    this.#total += size;
    this.#done += here;
  }

  /** The file at `path` begins to come. */
  begin(path: string): void {
    this.#path = path;
    this.#loaded = 0;
    this.#say(performance.now());
  }

  /** Of it `loaded` bytes are here, `fresh` of them new. */
  add(loaded: number, fresh: number): void {
    this.#loaded = loaded;
    this.fetchedBytes += Math.max(0, fresh);
    const now = performance.now();
    if (now - this.#toldAt >= PROGRESS_EVERY_MS) this.#say(now);
  }

  /** It is whole. */
  end(size: number): void {
    this.#done += size;
    this.#loaded = 0;
    this.#say(performance.now());
  }

  #say(now: number): void {
    this.#toldAt = now;
    this.#marks.push({ at: now, bytes: this.fetchedBytes });
    while (this.#marks.length > 2 && (this.#marks[0]?.at ?? now) < now - RATE_OVER_MS) this.#marks.shift();
    const first = this.#marks[0] ?? { at: now, bytes: this.fetchedBytes };
    const seconds = (now - first.at) / 1000;
    this.#tell?.({
      ...this.#of,
      path: this.#path,
      loadedBytes: this.#done + this.#loaded,
      totalBytes: this.#total,
      bytesPerSecond: seconds > 0 ? (this.fetchedBytes - first.bytes) / seconds : 0,
    });
  }
}
