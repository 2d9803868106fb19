/** @file A plot follows the width of its element, and keeps it while the element is not laid out. */
import { h, render } from "preact";
import type { VNode } from "preact";
import { expect, onTestFinished, test } from "vitest";
import { useWidth } from "../../src/app/plots/useWidth.ts";
import { eventually } from "../support/eventually.ts";

test("a width is followed, and none of an element that is hidden is taken for one", async () => {
  const widths: number[] = [];
  function Plot(): VNode {
    const [ref, width] = useWidth<HTMLDivElement>(640);
    if (widths.at(-1) !== width) widths.push(width);
    return h("section", null, h("div", { ref }));
  }
  const root = document.createElement("div");
  document.body.append(root);
  onTestFinished(() => root.remove());
  root.style.width = "300px";
  render(h(Plot, null), root);
  await eventually(() => expect(widths).toEqual([640, 300]));
  root.style.display = "none";
  root.style.width = "200px";
  for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  root.style.display = "";
  await eventually(() => expect(widths).toEqual([640, 300, 200]));
});
