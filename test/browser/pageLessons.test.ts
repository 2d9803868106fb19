/** @file A lesson in a real browser on the real loop over a small student: opened by its address, ticked by the run, answered, remembered. */
import { afterEach, beforeEach, expect, test } from "vitest";
import "../../src/app/styles/page.css";
import { mountPage } from "../../src/app/mountPage.tsx";
import { readFinished } from "../../src/app/views/lessons/progress.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { eventually } from "../support/eventually.ts";
import { linearRace } from "../support/linearRace.ts";

let root: HTMLElement;
let unmount = (): void => undefined;

beforeEach(() => {
  localStorage.clear();
  location.hash = "#/lessons/loss";
  root = document.createElement("div");
  document.body.append(root);
  unmount = mountPage(root, () => {
    const service = linearRace(new MemoryLibrary());
    return { service, close: () => void service.stop() };
  });
});

afterEach(() => {
  unmount();
  root.remove();
  location.hash = "";
});

const buttonOf = (label: string): HTMLButtonElement => {
  const found = [...root.querySelectorAll("button")].find(({ textContent }) => textContent === label);
  if (found === undefined) throw new Error(`no button ${label}`);
  if (found.disabled || found.getAttribute("aria-disabled") === "true") throw new Error(`${label} is off`);
  return found;
};
const press = (label: string): Promise<void> => eventually(() => buttonOf(label).click());
const passed = (): number => root.querySelectorAll(".lesson-steps .passed").length;

test("a lesson is ticked by what its run does, and ends with a question answered by another run", async () => {
  // Nothing is asked for before the lesson's settings are there.
  await eventually(() => expect(buttonOf("Prepare the lesson")).toBeDefined());
  expect(root.querySelector(".lesson-todo")).toBeNull();
  await press("Prepare the lesson");
  await eventually(() => expect(root.querySelector(".lesson-todo")?.textContent).toContain("Press Step"));
  expect(root.querySelector(".lesson-begin")).toBeNull();
  await eventually(() => expect(new URLSearchParams(location.search).get("query")).toBe("15"));
  expect(passed()).toBe(0);
  await press("Step");
  await eventually(() => expect(passed()).toBe(1));
  expect(root.querySelector(".lesson-shown")?.textContent).toMatch(/\d+ of 60 right/);
  await press("Resume");
  await eventually(() => expect(passed()).toBe(4));

  await press("Prepare this run");
  await eventually(() => expect(new URLSearchParams(location.search).get("seed")).toBe("2"));
  // Nothing can be answered before it was run, and what was shown stays.
  expect(root.querySelector(".lesson-question form")).toBeNull();
  expect(passed()).toBe(4);
  await press("Start");
  await eventually(() => expect(root.querySelectorAll(".lesson-options input").length).toBe(3));
  await press("Check my answer");
  await eventually(() => expect(root.querySelector("[role=alert]")?.textContent).toContain("Choose one"));
  let verdict = "";
  for (const option of ["higher", "lower", "none"]) {
    const radio = root.querySelector<HTMLInputElement>(`.lesson-options input[value=${option}]`)!;
    const label = radio.closest("label")!.textContent.trim();
    radio.click();
    await eventually(() => expect(radio.checked).toBe(true));
    await press("Check my answer");
    await eventually(() => {
      verdict = root.querySelector(".lesson-verdict")?.textContent ?? "";
      expect(verdict).toContain(label);
    });
    if (verdict.includes("✓")) break;
  }
  expect(verdict).toMatch(/that is what the run shows.*nats over \d+ right answers/);
  expect(readFinished()).toEqual(["loss"]);
});

test("a word of a lesson explains itself: by key, with its source, and Escape closes it", async () => {
  await eventually(() => expect(root.querySelector("h2")?.textContent).toBe("What the student does not know"));
  const word = [...root.querySelectorAll<HTMLButtonElement>(".term-word")].find(
    (one) => one.textContent === "student",
  )!;
  word.focus();
  expect(document.activeElement).toBe(word);
  word.click();
  const card = word.nextElementSibling as HTMLElement;
  await eventually(() => expect(card.matches(":popover-open")).toBe(true));
  expect(card.textContent).toMatch(/small language model.*arXiv 2512\.00884/);
  const { left, right, top, bottom } = card.getBoundingClientRect();
  expect(left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight).toBe(true);
  card.hidePopover();
  await eventually(() => expect(card.matches(":popover-open")).toBe(false));
});

test("the list names all four; an unknown lesson is said to be none", async () => {
  location.hash = "#/lessons/nothing";
  await eventually(() => expect(root.querySelectorAll(".lesson-cards li").length).toBe(4));
  expect(root.querySelector("[role=status].note")?.textContent).toContain("nothing");
});
