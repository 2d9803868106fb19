/** @file How long a list of jobs will still take, from what the finished part of it took. */

/** Follows jobs of estimated work, one after another. */
export class WorkClock {
  readonly #work: readonly number[];
  readonly #now: () => number;
  readonly #startedMs: number;
  #cellStartedMs: number;
  #share = 0;
  done = 0;

  constructor(work: readonly number[], now: () => number = () => performance.now()) {
    this.#work = work;
    this.#now = now;
    this.#startedMs = now();
    this.#cellStartedMs = this.#startedMs;
  }

  /** The job under way is done to this share. */
  advance(share: number): void {
    this.#share = Math.max(this.#share, Math.min(1, share));
  }

  finishCell(): void {
    this.done++;
    this.#share = 0;
    this.#cellStartedMs = this.#now();
  }

  /** Seconds of the job under way, to a tenth. */
  cellSeconds(): number {
    return Math.round((this.#now() - this.#cellStartedMs) / 100) / 10;
  }

  /** `; about 12 min left`, empty before anything is done. */
  timeLeft(): string {
    const total = this.#work.reduce((sum, work) => sum + work, 0);
    const done =
      this.#work.slice(0, this.done).reduce((sum, work) => sum + work, 0) + this.#share * (this.#work[this.done] ?? 0);
    if (done <= 0 || done >= total) return "";
    const seconds = ((this.#now() - this.#startedMs) / 1000) * ((total - done) / done);
    return `; about ${durationText(seconds)} left`;
  }
}

/** 83 → `1 min`, 7300 → `2 h 2 min`. */
function durationText(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
