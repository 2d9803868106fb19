/** @file The page in a real browser, on the real loop over a small student: text stays text, keys and pointers work, the page stays small. */
import { userEvent } from "vitest/browser";
import { afterEach, beforeEach, expect, test } from "vitest";
import "../../src/app/styles/page.css";
import { mountPage } from "../../src/app/mountPage.tsx";
import { TutelageError } from "../../src/core/errors.ts";
import type { LoopEvent } from "../../src/protocol/loopService.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { eventually } from "../support/eventually.ts";
import { linearRace, type LinearRaceOptions } from "../support/linearRace.ts";

let root: HTMLElement;
let crash: () => Promise<void>;
let stopWorker: () => Promise<void>;
let unmount = (): void => undefined;

beforeEach(() => {
  // The test runner's own parameters stay.
  const query = new URLSearchParams(location.search);
  query.delete("seed");
  query.delete("c");
  query.set("rounds", "2");
  query.set("query", "10");
  query.set("each", "2");
  query.set("pool", "120");
  history.replaceState(null, "", `?${query.toString()}`);
  localStorage.clear();
  root = document.createElement("div");
  root.id = "app";
  document.body.append(root);
});

afterEach(() => {
  unmount();
  root.remove();
});

/** Mounts the page; events pass through `change` on their way. */
async function open({
  change = batch,
  pauseMs = 0,
  onWork = () => new Promise((resolve) => setTimeout(resolve, pauseMs)),
}: {
  readonly change?: (batch: readonly LoopEvent[]) => readonly LoopEvent[];
  readonly pauseMs?: number;
  readonly onWork?: LinearRaceOptions["onWork"];
} = {}): Promise<void> {
  const library = new MemoryLibrary();
  unmount = mountPage(root, (onCrash) => {
    const service = linearRace(library, { onWork });
    const subscribe = service.subscribe.bind(service);
    service.subscribe = (listener) => subscribe((events) => listener(change(events)));
    stopWorker = () => service.stop();
    crash = async () => {
      await service.stop();
      onCrash(new TutelageError("worker-crashed", "loop worker: crashed: out of memory"));
    };
    return { service, close: () => void service.stop() };
  });
  await eventually(() => expect(isOff("Start")).toBe(false));
}

function batch(events: readonly LoopEvent[]): readonly LoopEvent[] {
  return events;
}

function button(label: string): HTMLButtonElement {
  const found = [...root.querySelectorAll("button")].find(({ textContent }) => textContent === label);
  if (found === undefined)
    throw new Error(
      `no button ${label}; there are ${[...root.querySelectorAll("button")].map(({ textContent }) => textContent).join(", ")}`,
    );
  return found;
}

const poolOf = (lane: number): HTMLElement | null => root.querySelector(`.lane.lane-${lane} .pool`);
const sliderOf = (lane: number): HTMLElement | null => root.querySelector(`.lane.lane-${lane} [role=slider]`);
const isOff = (label: string): boolean => button(label).getAttribute("aria-disabled") === "true";
const status = (): string => root.querySelector(".status")?.textContent ?? "";
const finished = (): Promise<void> => eventually(() => expect(status()).toBe("Finished."));

/** Focuses a lane's pool by keyboard and presses `keys`; resolves when a card is open. */
async function goTo(lane: number, keys: string): Promise<void> {
  sliderOf(lane)?.focus();
  await userEvent.keyboard(keys);
  await eventually(() => expect(root.querySelector(`.lane-${lane} .card`)).not.toBeNull());
}

test("Start runs the race and shows curves, pool, pairs and engine", async () => {
  await open();
  button("Start").click();
  await finished();
  expect(root.querySelectorAll(".curve-point")).toHaveLength(6);
  expect(poolOf(0)?.dataset).toMatchObject({ seeds: "120", picked: "10", children: "20" });
  expect(poolOf(1)?.dataset).toMatchObject({ seeds: "120", picked: "10", children: "20" });
  expect(root.querySelectorAll(".lane-1 .pair")).toHaveLength(40);
  location.hash = "#/race?open=engine";
  await eventually(() => expect(root.querySelector(".engine")?.textContent).toContain("WASM"));
  expect(root.querySelector(".engine-fallback")?.textContent).toContain("This test has no GPU.");
  expect(root.querySelector(".gap")?.textContent).toMatch(/After round 2, .* 95.% interval/);
  expect(root.querySelectorAll(".numbers tbody tr")).toHaveLength(6);
});

test("text from questions, answers, reasons, warnings and errors is never markup", async () => {
  const evil = `<img src=x onerror="globalThis.hacked = true"><script>globalThis.hacked = true</script>`;
  await open({
    change: (events) =>
      events.flatMap((event): LoopEvent[] => {
        if (event.type !== "record") return [event];
        const { record, lane } = event;
        if (record.type === "pool")
          return [
            {
              ...event,
              record: {
                ...record,
                items: record.items.map((item) => ({
                  ...item,
                  question: evil,
                  answer: evil,
                  ownAnswer: evil,
                  level: evil,
                })),
              },
            },
          ];
        if (record.type === "example")
          return [
            {
              ...event,
              record: {
                ...record,
                example: { ...record.example, question: evil, answer: evil, reason: evil, level: evil },
              },
            },
          ];
        if (record.type === "done") {
          return [
            { type: "record", lane, record: { type: "warning", code: "evil", message: evil } },
            { type: "lane-failed", lane, error: { name: "Error", message: evil } },
            event,
          ];
        }
        return [event];
      }),
  });
  button("Start").click();
  await eventually(() => expect(status()).toBe("Stopped: the lanes say why."));
  await eventually(() => expect(root.querySelectorAll(".lane [role=alert]")).toHaveLength(2));
  await goTo(0, "{Home}");
  await eventually(() => expect(root.querySelector(".card")?.textContent).toContain(evil));
  for (const details of root.querySelectorAll("details")) details.open = true;
  for (const place of [".pair-question", ".pair-source", ".pair dd", ".warnings", ".row-label", ".lane [role=alert]"])
    expect(root.querySelector(place)?.textContent).toContain(evil);
  expect(root.querySelector("img, script")).toBeNull();
  expect(globalThis).not.toHaveProperty("hacked");
});

test("the pool is one tab stop; arrows move along the loss and the card follows; Escape closes it", async () => {
  await open();
  button("Start").click();
  await finished();
  expect(poolOf(0)?.querySelectorAll("[tabindex='0']")).toHaveLength(1);
  const seen: string[] = [];
  await goTo(0, "{Home}");
  for (let step = 0; step < 4; step++) {
    const said = sliderOf(0)?.getAttribute("aria-valuetext") ?? "";
    const [, id = "", loss = ""] = /^Seed (\S+), .* loss ([\d.]+) nats/.exec(said) ?? [];
    expect(sliderOf(0)?.getAttribute("aria-valuenow")).toBe(String(step + 1));
    await eventually(() => expect(root.querySelector(".lane-0 .card")?.textContent).toContain(id));
    seen.push(loss);
    await userEvent.keyboard("{ArrowRight}");
    await eventually(() => expect(sliderOf(0)?.getAttribute("aria-valuenow")).toBe(String(step + 2)));
  }
  expect(seen).toEqual(seen.toSorted((a, b) => Number(a) - Number(b)));
  await userEvent.keyboard("{End}");
  await eventually(() => expect(sliderOf(0)?.getAttribute("aria-valuenow")).toBe("120"));
  await userEvent.keyboard("{Escape}");
  await eventually(() => expect(root.querySelector(".lane-0 .card")).toBeNull());
});

test("a card says why a seed was picked and what each token of its answers costs the student", async () => {
  await open();
  button("Start").click();
  await finished();
  await goTo(1, "{End}");
  const card = (): string => root.querySelector(".lane-1 .card")?.textContent ?? "";
  expect(card()).toMatch(/Score [\d.]+.nats, rank 1 of 120 seeds \(median [\d.]+.nats\)/);
  expect(card()).toContain("Loss of the student's own answer");
  await eventually(() => expect(root.querySelectorAll(".lane-1 .card .heat")).toHaveLength(2));
  const [own] = root.querySelectorAll(".lane-1 .card .heat");
  expect(own?.textContent).toContain("####");
  expect(own?.querySelectorAll(".heat-most")).toHaveLength(1);
  expect(own?.querySelector("span")?.title).toMatch(/^[\d.]+ nats: the student gave it [\d.]+ %$/);
});

test("seeds are placed by hidden states too, and a filter and zoom leave the numbers right", async () => {
  await open();
  button("Start").click();
  await finished();
  await userEvent.click(root.querySelector("[aria-label='Zoom in']") as HTMLElement);
  await eventually(() =>
    expect(root.querySelector(".lane-0 .pool .note")?.textContent).toMatch(/of 120 seeds are outside/),
  );
  const inside = Number(poolOf(0)?.dataset["seeds"]);
  const outside = Number(
    /(\d+) of 120 seeds are outside/.exec(root.querySelector(".lane-0 .pool .note")?.textContent ?? "")?.[1],
  );
  expect(inside + outside).toBe(120);
  await userEvent.click(button("All"));
  await eventually(() => expect(poolOf(0)?.dataset["seeds"]).toBe("120"));
  const radio = [...root.querySelectorAll<HTMLInputElement>("[name=projection]")].at(-1);
  radio?.click();
  await eventually(() => expect(root.querySelector(".lane-1 .pool .axis-title")?.textContent).toMatch(/of variance/));
  expect(poolOf(1)?.dataset["seeds"]).toBe("120");
});

test("a third lane is added, raced, and resumes with the others after a crash", async () => {
  await open({ pauseMs: 2 });
  button("Add a lane").click();
  await eventually(() => expect(root.querySelectorAll(".lane")).toHaveLength(3));
  expect(new URLSearchParams(location.search).get("c")).toBe("true-loss");
  button("Start").click();
  await eventually(() => expect(root.querySelectorAll(".curve-point").length).toBeGreaterThanOrEqual(6));
  await crash();
  await eventually(() => expect(root.querySelector("[role=alert]")).not.toBeNull());
  button("Restart").click();
  await finished();
  expect(root.querySelectorAll(".curve-point")).toHaveLength(9);
  expect(root.querySelectorAll(".gap")).toHaveLength(2);
});

test("a race that cannot tell its lanes apart offers one with a rare kind of the same task, which then starts", async () => {
  await open();
  button("Start").click();
  await finished();
  button("Set up such a race").click();
  await eventually(() => expect(isOff("Start")).toBe(false));
  // The task of word problems is the default, which is not named.
  expect(root.querySelector(".set-up-line")?.textContent).toMatch(/^Set up a rare kind asked, /);
  button("Start").click();
  await finished();
  expect(poolOf(0)?.dataset).toMatchObject({ seeds: "100", picked: "10", children: "200" });
  expect([...root.querySelectorAll("button")].map(({ textContent }) => textContent)).not.toContain(
    "Set up such a race",
  );
});

test("Enter pins a card, so that it stays when the focus leaves", async () => {
  await open();
  button("Start").click();
  await finished();
  await goTo(0, "{Home}");
  await userEvent.keyboard("{Enter}");
  await eventually(() => expect(root.querySelector(".card-pinned")).not.toBeNull());
  button("New run").focus();
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  expect(root.querySelector(".card-pinned")).not.toBeNull();
});

test("settings are checked as they are typed, told beside the field, and kept in the address", async () => {
  await open();
  location.hash = "#/race?open=setup";
  await eventually(() => expect(root.querySelector("dialog[open]")).not.toBeNull());
  const seed = root.querySelector<HTMLInputElement>("#setting-seed");
  if (seed === null) throw new Error("no seed");
  await userEvent.fill(seed, "12x");
  await eventually(() => expect(isOff("Start")).toBe(true));
  expect(seed.getAttribute("aria-invalid")).toBe("true");
  const about = document.getElementById(seed.getAttribute("aria-describedby") ?? "");
  expect(about?.textContent).toBe("A whole number from 0 to 2147483647, please.");
  await userEvent.fill(seed, "12");
  await eventually(() => expect(isOff("Start")).toBe(false));
  expect(new URLSearchParams(location.search).get("seed")).toBe("12");
});

test("a link opens a drawer, and Escape closes it and clears the address", async () => {
  await open();
  location.hash = "#/race?open=setup";
  await eventually(() => expect(root.querySelector("dialog[open]")).not.toBeNull());
  await userEvent.keyboard("{Escape}");
  await eventually(() => expect(root.querySelector("dialog")).toBeNull());
  expect(location.hash).toBe("#/race");
  location.hash = "#/no-such-view";
  await eventually(() => expect(root.querySelector(".view-race")).not.toBeNull());
});

test("the focus is back where it was as soon as a drawer has gone", async () => {
  await open();
  const chip = root.querySelector<HTMLElement>(".set-up-line .chip");
  chip?.focus();
  chip?.click();
  await eventually(() => expect(root.querySelector("dialog[open]")).not.toBeNull());
  const focused = new Promise<Element | null>((resolve) => {
    const observer = new MutationObserver(() => {
      if (root.querySelector("dialog") !== null) return;
      observer.disconnect();
      resolve(document.activeElement);
    });
    observer.observe(root, { childList: true, subtree: true });
  });
  await userEvent.keyboard("{Escape}");
  expect(await focused).toBe(chip);
});

test("a crash is told in a banner with Restart, which goes on", async () => {
  await open({ pauseMs: 2 });
  button("Start").click();
  await eventually(() => expect(root.querySelectorAll(".curve-point").length).toBeGreaterThanOrEqual(4));
  await crash();
  await eventually(() =>
    expect(root.querySelector("[role=alert]")?.textContent).toContain("loop worker: crashed: out of memory"),
  );
  button("Restart").click();
  await finished();
  expect(root.querySelectorAll(".curve-point")).toHaveLength(6);
  expect(root.querySelector("[role=alert]")).toBeNull();
});

test("a lane that ran out of memory says what going on in less would change, and goes on", async () => {
  let room = false;
  await open({
    onWork: (what) => {
      if (what === "train" && !room) throw new TutelageError("out-of-memory", "training: not enough memory");
    },
  });
  button("Start").click();
  await eventually(() => expect(root.querySelectorAll(".lane [role=alert]")).toHaveLength(2));
  await eventually(() => expect(root.querySelector(".status")?.textContent).toBe("Stopped: the lanes say why."));
  const alert = root.querySelector(".lane-0 [role=alert]");
  expect(alert?.textContent).toContain("training: not enough memory");
  expect(alert?.textContent).toContain("training in batches of 8 × 2 accumulated instead of 16 × 1");
  await stopWorker();
  room = true;
  // One press for all lanes that ran out of it.
  button("Resume in less memory").click();
  await eventually(() => expect(root.querySelectorAll(".curve-point")).toHaveLength(6));
  await finished();
  expect(root.querySelector("[role=alert]")).toBeNull();
  for (const lane of root.querySelectorAll(".lane"))
    expect(lane.textContent).toContain("From round 1 on: training in batches of 8 × 2");
});

test("a lost device is told in its lane with Restart, which goes on from storage", async () => {
  let lost = false;
  await open({
    pauseMs: 2,
    change: (events) =>
      events.flatMap((event): LoopEvent[] => {
        if (lost || event.type !== "record" || event.record.type !== "step") return [event];
        lost = true;
        return [
          event,
          {
            type: "lane-failed",
            lane: 1,
            error: { name: "TutelageError", code: "device-lost", message: "engine: the GPU device was lost" },
          },
        ];
      }),
  });
  button("Start").click();
  await eventually(() =>
    expect(root.querySelector(".lane-1 [role=alert]")?.textContent).toContain("the GPU device was lost"),
  );
  expect(root.querySelector(".lane-1 [role=alert]")?.textContent).toContain("The GPU went away");
  // A worker of its own is ended by Restart at once; here it shares the page's thread.
  await stopWorker();
  root.querySelector<HTMLButtonElement>(".lane-1 [role=alert] button")?.click();
  await finished();
  expect(root.querySelectorAll(".curve-point")).toHaveLength(6);
  expect(root.querySelector("[role=alert]")).toBeNull();
});

test("the live region follows the phases, not every step of progress", async () => {
  await open();
  const region = root.querySelector("[aria-live=polite].hidden");
  let changes = 0;
  const observer = new MutationObserver(() => changes++);
  if (region !== null) observer.observe(region, { characterData: true, childList: true, subtree: true });
  button("Start").click();
  await finished();
  await eventually(() => expect(region?.textContent).toBe("Finished."));
  observer.disconnect();
  expect(changes).toBeLessThanOrEqual(6);
});
