/** @file A value with one listener that is told at most once per animation frame. */

/** Asks for one call of `draw` before the next paint; `requestAnimationFrame` in a page. */
export type FrameScheduler = (draw: () => void) => void;

export class Store<S> {
  #state: S;
  #listener: ((state: S) => void) | undefined;
  #scheduled = false;
  readonly #schedule: FrameScheduler;

  constructor(initial: S, schedule: FrameScheduler) {
    this.#state = initial;
    this.#schedule = schedule;
  }

  get state(): S {
    return this.#state;
  }

  /** Replaces the state by `change(state)`; the listener hears of it in the next frame, once for any number of updates. */
  update(change: (state: S) => S): void {
    const next = change(this.#state);
    if (Object.is(next, this.#state)) return;
    this.#state = next;
    this.#request();
  }

  /** Sets the listener and tells it the state in the next frame. */
  listen(listener: (state: S) => void): void {
    this.#listener = listener;
    this.#request();
  }

  #request(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      this.#listener?.(this.#state);
    });
  }
}
