/** @file What the page does again when something arrives: drawings and changed elements are counted, not timed. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { MockInstance } from "vitest";
import "../../src/app/styles/page.css";
import { mountPage } from "../../src/app/mountPage.tsx";
import type { LoopRecord } from "../../src/loop/records.ts";
import type { EventListener } from "../../src/protocol/eventBatcher.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { eventually } from "../support/eventually.ts";
import { linearRace } from "../support/linearRace.ts";

const SEEDS = 300;
let root: HTMLElement;
let unmount = (): void => undefined;
let tell: EventListener = () => undefined;
/** Hears every drawing of a pool's marks. */
let put: MockInstance<CanvasRenderingContext2D["putImageData"]>;
const drawings = (): number => put.mock.calls.length;
/** Every record that was told of the first lane. */
let told: LoopRecord[] = [];

beforeEach(() => {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries({ rounds: "2", query: "10", each: "2", pool: String(SEEDS) }))
    query.set(name, value);
  history.replaceState(null, "", `?${query.toString()}`);
  localStorage.clear();
  root = document.createElement("div");
  document.body.append(root);
  told = [];
  // Motion would draw on for most of a second.
  const real = globalThis.matchMedia.bind(globalThis);
  vi.spyOn(globalThis, "matchMedia").mockImplementation((text) =>
    real(text.includes("prefers-reduced-motion") ? "all" : text),
  );
  put = vi.spyOn(CanvasRenderingContext2D.prototype, "putImageData");
});

afterEach(() => {
  unmount();
  root.remove();
  vi.restoreAllMocks();
});

/** Runs a race to its end; its page stands still afterwards. */
async function finishedRace(): Promise<void> {
  const library = new MemoryLibrary();
  unmount = mountPage(root, () => {
    const service = linearRace(library);
    const subscribe = service.subscribe.bind(service);
    service.subscribe = (listener) => {
      tell = listener;
      return subscribe((events) => {
        for (const event of events) if (event.type === "record" && event.lane === 0) told.push(event.record);
        return listener(events);
      });
    };
    return { service, close: () => void service.stop() };
  });
  const start = (): HTMLButtonElement | null => root.querySelector("button.primary[aria-disabled=false]");
  await eventually(() => expect(start()).not.toBeNull());
  start()?.click();
  await eventually(() => expect(root.querySelector(".status")?.textContent).toBe("Finished."));
  await still();
}

/** Resolves when nothing has been drawn for some frames: lanes take turns, in as many frames as they need. */
async function still(): Promise<void> {
  for (let drawn = -1; drawn !== drawings();) {
    drawn = drawings();
    await frames(10);
  }
}

/** Resolves after so many frames. */
async function frames(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => requestAnimationFrame(resolve));
}

/** How many changes `act` makes inside the elements that `selector` finds. */
async function changesIn(selector: string, act: () => Promise<void>): Promise<number> {
  let changes = 0;
  const observer = new MutationObserver((records) => (changes += records.length));
  const found = root.querySelectorAll(selector);
  expect(found.length, selector).toBeGreaterThan(0);
  for (const element of found)
    observer.observe(element, { subtree: true, childList: true, attributes: true, characterData: true });
  await act();
  changes += observer.takeRecords().length;
  observer.disconnect();
  return changes;
}

const step = (number: number): LoopRecord => ({
  type: "step",
  round: 2,
  totalSteps: 500,
  step: number,
  loss: 1 + Math.sin(number),
  gradNorm: 1,
  lr: 1,
  tokens: 1,
  tokensPerSecond: 100,
});

test("steps of training touch neither pools nor curves nor pairs, and draw no seed again", async () => {
  await finishedRace();
  const before = drawings();
  expect(before).toBeGreaterThan(0);
  const sentence = root.querySelector(".lane .sparkline svg")?.getAttribute("aria-label");
  const still = await changesIn(".pool, .curve, .pairs, .findings, .pool-bar", async () => {
    for (let i = 1; i <= 40; i++) {
      await tell([1, 2, 3].map((k) => ({ type: "record", lane: 0, record: step(3 * i + k) })));
      await frames(1);
    }
    await frames(2);
  });
  expect(root.querySelector(".lane .sparkline svg")?.getAttribute("aria-label")).not.toBe(sentence);
  expect(still).toBe(0);
  expect(drawings()).toBe(before);
});

test("a new pool is drawn once, and pointing at seeds draws none of them again", async () => {
  await finishedRace();
  const pool = told.findLast((record) => record.type === "pool");
  if (pool === undefined) throw new Error("no pool");
  const before = drawings();
  const items = pool.items.map((item) => ({ ...item, ownLoss: (item.ownLoss ?? 0) / 2, trueLoss: 0.1 }));
  await tell([{ type: "record", lane: 0, record: { ...pool, round: pool.round + 1, items } }]);
  await eventually(() => expect(drawings()).toBeGreaterThan(before));
  await still();
  // Once where the shared axis stays; where it changes, once in each of both lanes.
  expect(drawings() - before).toBeGreaterThanOrEqual(1);
  expect(drawings() - before).toBeLessThanOrEqual(2);
  const drawn = drawings();
  const slider = root.querySelector(".lane-0 [role=slider]");
  const box = slider?.getBoundingClientRect();
  for (let i = 0; i < 30; i++) {
    const [clientX, clientY] = [(box?.left ?? 0) + 10 * i, (box?.top ?? 0) + 60];
    slider?.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX, clientY }));
    await frames(1);
  }
  expect(drawings()).toBe(drawn);
});

test("hundreds of pairs at once are one drawing", async () => {
  await finishedRace();
  const made = told.findLast((record) => record.type === "example");
  if (made === undefined) throw new Error("no pair");
  const before = drawings();
  const more = Array.from({ length: 500 }, (_, i): LoopRecord => ({
    type: "example",
    example: { ...made.example, id: `more-${i}` },
  }));
  await tell(more.map((record) => ({ type: "record", lane: 0, record })));
  await eventually(() => expect(root.querySelector<HTMLElement>(".lane-0 .pool")?.dataset["children"]).toBe("520"));
  await still();
  expect(drawings() - before).toBe(1);
});
