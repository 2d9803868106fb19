/**
 * @file A view's own part of the page's state. It lives in the one store, so that it
 * outlives the view's time on the screen and is drawn at most once a frame, but only
 * the view knows its type.
 */
import type { Store } from "./store.ts";

/** What holds slices: the page's state. */
export interface Sliced {
  readonly slices: ReadonlyMap<object, unknown>;
}

export interface Slice<S> {
  /** The view's state in the page's; the initial one before any change. */
  of(state: Sliced): S;
  /** Replaces it by `change(it)`. */
  change<P extends Sliced>(store: Store<P>, change: (slice: S) => S): void;
}

/** A slice that begins as `initial`. Define it once, at the top of the view's module. */
export function defineSlice<S>(initial: S): Slice<S> {
  const key = {};
  // Only this closure knows the key, so what is stored under it is an S.
  const of = ({ slices }: Sliced): S => (slices.has(key) ? (slices.get(key) as S) : initial);
  return {
    of,
    change: (store, change) =>
      store.update((state) => {
        const before = of(state);
        const after = change(before);
        return Object.is(before, after) ? state : { ...state, slices: new Map(state.slices).set(key, after) };
      }),
  };
}
