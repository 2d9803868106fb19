/**
 * @file Drawings that take turns: each at most once per animation frame, and no more of them in a
 * frame than fit into a few milliseconds, so that four lanes that move at once do not cost one
 * long frame. Not the page's store, which renders at most once a frame by itself.
 */

/**
 * A frame's part that drawings may take before the rest waits for the next: less than a large pool
 * takes, because handing its canvas over costs the frame once more as much as drawing it.
 */
const BUDGET_MS = 2;

/** What turns need of the browser. */
export interface FrameClock {
  readonly request: (draw: () => void) => number;
  readonly cancel: (handle: number) => void;
  readonly nowMs: () => number;
}

/** One drawing's place among those that take turns. */
export interface Turn {
  /** Draws in one of the next frames: once, however often it is asked for before. */
  ask(): void;
  /** Takes back what was asked for. */
  drop(): void;
}

/** Drawings that share frames. */
export class FrameTurns {
  readonly #clock: FrameClock;
  readonly #budgetMs: number;
  /** In the order in which they were asked for. */
  readonly #waiting = new Set<() => void>();
  #frame: number | undefined;

  constructor(clock: FrameClock, budgetMs = BUDGET_MS) {
    this.#clock = clock;
    this.#budgetMs = budgetMs;
  }

  /** A turn that draws by `draw`. */
  turn(draw: () => void): Turn {
    return {
      ask: () => {
        this.#waiting.add(draw);
        this.#frame ??= this.#clock.request(() => this.#run());
      },
      drop: () => {
        this.#waiting.delete(draw);
        if (this.#waiting.size > 0 || this.#frame === undefined) return;
        this.#clock.cancel(this.#frame);
        this.#frame = undefined;
      },
    };
  }

  #run(): void {
    const startMs = this.#clock.nowMs();
    this.#frame = undefined;
    // Whoever asks while drawing gets a turn in a later frame, after those who wait already.
    let due = this.#waiting.size;
    for (const draw of this.#waiting) {
      if (due-- === 0) break;
      this.#waiting.delete(draw);
      draw();
      if (this.#clock.nowMs() - startMs >= this.#budgetMs) break;
    }
    if (this.#waiting.size > 0) this.#frame ??= this.#clock.request(() => this.#run());
  }
}

/** The page's. */
export const frameTurns = new FrameTurns({
  request: (draw) => requestAnimationFrame(draw),
  cancel: (handle) => cancelAnimationFrame(handle),
  nowMs: () => performance.now(),
});
