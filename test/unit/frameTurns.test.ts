/** @file Drawings that take turns, on a clock of the test's own. */
import { expect, test } from "vitest";
import { FrameTurns } from "../../src/app/views/race/pool/frameTurns.ts";

/** A browser whose frames and time pass when they are told to. */
function fakeFrames() {
  let due: (() => void) | undefined;
  let nowMs = 0;
  return {
    clock: {
      request: (draw: () => void) => {
        expect(due, "one frame is asked for at a time").toBeUndefined();
        due = draw;
        return 1;
      },
      cancel: () => {
        due = undefined;
      },
      nowMs: () => nowMs,
    },
    take: (ms: number) => {
      nowMs += ms;
    },
    isDue: () => due !== undefined,
    frame: () => {
      const draw = due;
      due = undefined;
      draw?.();
    },
  };
}

test("a drawing that is asked for often is made once, and none is made that nobody asked for", () => {
  const { clock, frame, isDue } = fakeFrames();
  const drawn: string[] = [];
  const turns = new FrameTurns(clock, 6);
  const [a, b] = ["a", "b"].map((name) => turns.turn(() => drawn.push(name)));
  a!.ask();
  a!.ask();
  b!.ask();
  frame();
  expect(drawn).toEqual(["a", "b"]);
  expect(isDue()).toBe(false);
  a!.ask();
  a!.drop();
  expect(isDue()).toBe(false);
});

test("drawings that would make a frame long wait for the next, and those that move take turns", () => {
  const { clock, frame, take, isDue } = fakeFrames();
  const drawn: string[] = [];
  const turns = new FrameTurns(clock, 6);
  let left = 3;
  const a = turns.turn(() => {
    drawn.push("a");
    take(10);
    if (--left > 0) a.ask();
  });
  const b = turns.turn(() => {
    drawn.push("b");
    take(10);
  });
  a.ask();
  b.ask();
  frame();
  expect(drawn).toEqual(["a"]);
  frame();
  expect(drawn).toEqual(["a", "b"]);
  frame();
  frame();
  expect(drawn).toEqual(["a", "b", "a", "a"]);
  expect(isDue()).toBe(false);
});
