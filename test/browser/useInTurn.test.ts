/** @file Lanes that change at one press make what they show in frames of their own, and show what was before until then. */
import { h, render } from "preact";
import type { VNode } from "preact";
import { expect, test } from "vitest";
import { useInTurn } from "../../src/app/views/race/pool/useInTurn.ts";
import { eventually } from "../support/eventually.ts";

test("what takes long is made for one lane a frame, the newest inputs last", async () => {
  let frame = 0;
  const made: { readonly name: string; readonly input: number; readonly frame: number }[] = [];
  function Lane({ name, input }: { readonly name: string; readonly input: number }): VNode {
    const shown = useInTurn(() => {
      const fromMs = performance.now();
      while (performance.now() - fromMs < 4);
      made.push({ name, input, frame });
      return input;
    }, [input]);
    return h("p", null, `${name} ${shown}`);
  }
  const root = document.createElement("div");
  const show = (input: number): void =>
    render(h("div", null, h(Lane, { name: "left", input }), h(Lane, { name: "right", input })), root);
  const text = (): string[] => Array.from(root.querySelectorAll("p"), ({ textContent }) => textContent);
  const count = (): void => {
    frame++;
    requestAnimationFrame(count);
  };
  requestAnimationFrame(count);

  show(1);
  expect(text()).toEqual(["left 1", "right 1"]);
  made.length = 0;
  show(2);
  show(3);
  expect(made).toEqual([]);
  expect(text()).toEqual(["left 1", "right 1"]);
  await eventually(() => expect(text()).toEqual(["left 3", "right 3"]));
  expect(made.map(({ name, input }) => [name, input])).toEqual([
    ["left", 3],
    ["right", 3],
  ]);
  expect(made[1]?.frame).not.toBe(made[0]?.frame);

  show(4);
  render(null, root);
  const before = made.length;
  const now = frame;
  await eventually(() => expect(frame).toBeGreaterThan(now + 3));
  expect(made.length).toBe(before);
});
