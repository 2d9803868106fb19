/** @file The page's store draws at most once a frame. */
import { expect, test } from "vitest";
import { Store } from "../../src/app/store.ts";

test("any number of updates between two frames is one drawing of the last state", () => {
  const frames: (() => void)[] = [];
  const store = new Store(0, (draw) => frames.push(draw));
  const drawn: number[] = [];
  store.listen((state) => drawn.push(state));
  for (let i = 0; i < 100; i++) store.update((state) => state + 1);
  expect(frames).toHaveLength(1);
  frames.shift()?.();
  expect(drawn).toEqual([100]);
  store.update((state) => state);
  expect(frames).toHaveLength(0);
  store.update((state) => state + 1);
  frames.shift()?.();
  expect(drawn).toEqual([100, 101]);
});

test("an update made while drawing is drawn in the next frame", () => {
  const frames: (() => void)[] = [];
  const store = new Store(0, (draw) => frames.push(draw));
  const drawn: number[] = [];
  store.listen((state) => {
    drawn.push(state);
    if (state === 0) store.update(() => 1);
  });
  frames.shift()?.();
  expect(drawn).toEqual([0]);
  frames.shift()?.();
  expect(drawn).toEqual([0, 1]);
});
