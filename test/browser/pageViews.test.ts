/** @file Data, Talk and Runs in a real browser, on the real loop over a small student: what is shown, keys, decisions by hand, files out and in. */
import axe from "axe-core";
import { userEvent } from "vitest/browser";
import { afterEach, beforeEach, expect, test } from "vitest";
import "../../src/app/styles/page.css";
import { Controller } from "../../src/app/controller.ts";
import { initialState, type AppState } from "../../src/app/appState.ts";
import { mountPage } from "../../src/app/mountPage.tsx";
import { DEFAULT_DRAFT } from "../../src/app/settings.ts";
import { Store } from "../../src/app/store.ts";
import { dataOf, dataSlice } from "../../src/app/views/data/dataActions.ts";
import type { LoopService, PairRow } from "../../src/protocol/loopService.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { eventually } from "../support/eventually.ts";
import { linearRace } from "../support/linearRace.ts";
import { exampleEntry } from "../support/runLibrarySuite.ts";

let root: HTMLElement;
let unmount = (): void => undefined;

beforeEach(() => {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries({ rounds: "2", query: "8", each: "2", pool: "60" }))
    query.set(name, value);
  query.delete("seed");
  history.replaceState(null, "", `?${query.toString()}#/race`);
  localStorage.clear();
  root = document.createElement("div");
  root.id = "app";
  document.body.append(root);
});

afterEach(() => {
  unmount();
  root.remove();
  delete document.documentElement.dataset["theme"];
  history.replaceState(null, "", `${location.pathname}${location.search}`);
});

/** Mounts the page on `library`; `change` replaces methods of its service. */
async function open(
  library = new MemoryLibrary(),
  change: (service: LoopService) => void = () => undefined,
): Promise<void> {
  unmount = mountPage(root, () => {
    const service = linearRace(library);
    change(service);
    return { service, close: () => void service.stop() };
  });
  await eventually(() => expect(root.querySelector("button.primary")?.getAttribute("aria-disabled")).toBe("false"));
}

async function race(): Promise<void> {
  button("Start").click();
  await eventually(() => expect(root.querySelector(".status")?.textContent).toBe("Finished."));
}

async function view(id: string, ready: string): Promise<void> {
  location.hash = `#/${id}`;
  await eventually(() => expect(root.querySelector(ready), `${ready} in ${id}`).not.toBeNull());
}

const all = <E extends Element = HTMLElement>(selector: string): E[] => [...root.querySelectorAll<E>(selector)];

function button(label: string, place: ParentNode = root): HTMLButtonElement {
  const buttons = [...place.querySelectorAll<HTMLButtonElement>("button, summary")];
  const found = buttons.find(({ textContent }) => textContent?.trim() === label);
  if (found === undefined)
    throw new Error(`no button ${label}; there are ${buttons.map(({ textContent }) => textContent).join(", ")}`);
  return found;
}

test("the table has every pair of both lanes, found by search and filters, sorted by its heads", async () => {
  await open();
  await race();
  await view("data", ".pair-row");
  const status = (): string => root.querySelector(".data-status")?.textContent ?? "";
  expect(status()).toMatch(/^64 pairs, \d+ of them accepted\./);
  expect(root.querySelector("[role=grid]")?.getAttribute("aria-rowcount")).toBe("65");
  const search = root.querySelector<HTMLInputElement>("input[type=search]");
  if (search === null) throw new Error("no search");
  const question = root.querySelector(".pair-row .cell-question")?.textContent ?? "";
  await userEvent.fill(search, question);
  await eventually(() => expect(status()).toMatch(/^\d+ of 64 pairs match/));
  for (const cell of all(".pair-row .cell-question")) expect(cell.textContent).toBe(question);
  button("Show all").click();
  await eventually(() => expect(status()).toMatch(/^64 pairs/));
  const head = root.querySelector<HTMLElement>("[role=columnheader].cell-before");
  head?.querySelector("button")?.click();
  await eventually(() => expect(head?.getAttribute("aria-sort")).toBe("descending"));
  const losses = (): number[] =>
    all(".pair-row .cell-before .loss > span:first-child").map((cell) => Number(cell.textContent));
  await eventually(() => expect(losses()).toEqual(losses().toSorted((a, b) => b - a)));
  expect(losses().length).toBeGreaterThan(5);
});

test("the table is one tab stop; arrows and End move between rows, Enter opens one, Escape closes it", async () => {
  await open();
  await race();
  await view("data", ".pair-row");
  expect(all(".pair-row[tabindex='0']")).toHaveLength(1);
  root.querySelector<HTMLElement>(".pair-row")?.focus();
  const focused = (): string | null => document.activeElement?.getAttribute("aria-rowindex") ?? null;
  expect(focused()).toBe("2");
  await userEvent.keyboard("{ArrowDown}");
  await eventually(() => expect(focused()).toBe("3"));
  await userEvent.keyboard("{End}");
  await eventually(() => expect(focused()).toBe("65"));
  await userEvent.keyboard("{ArrowDown}");
  expect(focused()).toBe("65");
  await userEvent.keyboard("{Home}");
  await eventually(() => expect(focused()).toBe("2"));
  await userEvent.keyboard("{Enter}");
  await eventually(() => expect(root.querySelector("dialog[open] .facts")).not.toBeNull());
  await userEvent.keyboard("{Escape}");
  await eventually(() => expect(root.querySelector("dialog")).toBeNull());
  await eventually(() => expect(focused()).toBe("2"));
});

test("a key that comes before the last one has been drawn is not lost", async () => {
  await open();
  await race();
  await view("data", ".pair-row");
  root.querySelector<HTMLElement>(".pair-row")?.focus();
  const press = (key: string): void =>
    void document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  press("ArrowDown");
  // The table is rendered, but no frame has been drawn.
  await Promise.resolve();
  press("End");
  await eventually(() => expect(document.activeElement?.getAttribute("aria-rowindex")).toBe("65"));
});

test("a pair is rejected, and an edit that is wrong is refused with the reason; both are in the run", async () => {
  const library = new MemoryLibrary();
  await open(library);
  button("Step").click();
  await eventually(() => expect(root.querySelectorAll(".curve-point")).toHaveLength(2));
  for (let phases = 0; phases < 4; phases++) {
    await eventually(() => expect(button("Step").getAttribute("aria-disabled")).toBe("false"));
    button("Step").click();
  }
  await view("data", ".pair-row .fate-good");
  root.querySelector<HTMLElement>(".pair-row:has(.fate-good)")?.click();
  await eventually(() => expect(root.querySelector("dialog .reject")).not.toBeNull());
  button("Edit").click();
  await eventually(() => expect(all("dialog textarea")).toHaveLength(2));
  const [, answer] = all<HTMLTextAreaElement>("dialog textarea");
  if (answer === undefined) throw new Error("no answer");
  await userEvent.fill(answer, "#### -1");
  button("Save").click();
  await eventually(() => expect(root.querySelector("dialog [role=alert]")?.textContent).toContain("task's own check"));
  button("Cancel").click();
  await eventually(() => expect(root.querySelector("dialog .reject")).not.toBeNull());
  button("Reject").click();
  await eventually(() => expect(root.querySelector("dialog .facts-small")?.textContent).toContain("by hand: rejected"));
  expect(button("Restore").disabled).toBe(false);
  const runs = await Promise.all((await library.list()).map(({ manifest }) => library.read(manifest.runId)));
  expect(runs.flatMap((run) => run?.interventions ?? [])).toMatchObject([{ action: "reject", round: 1 }]);
});

test("of thousands of pairs only those in sight are in the document", async () => {
  const many = Array.from({ length: 5000 }, (_, i): PairRow => {
    const made = { ...exampleEntry(`p${i}`).example, question: `Question ${i}` };
    return { made, now: made, seed: null, before: null, after: null };
  });
  await open(new MemoryLibrary(), (service) => {
    service.runPairs = async () => many;
  });
  await race();
  await view("data", ".pair-row");
  expect(root.querySelector("[role=grid]")?.getAttribute("aria-rowcount")).toBe("10001");
  expect(all(".pair-row").length).toBeLessThan(60);
  const body = root.querySelector(".grid-body");
  if (body === null) throw new Error("no body");
  body.scrollTop = body.scrollHeight;
  await eventually(() => expect(root.querySelector("[aria-rowindex='10001']")).not.toBeNull());
  expect(all(".pair-row").length).toBeLessThan(60);
  // The tab stop stays in reach.
  expect(all(".pair-row[tabindex='0']")).toHaveLength(1);
});

test("rows shown are saved as files", async () => {
  const saved = new Map<string, string>();
  const store = new Store<AppState>(initialState(DEFAULT_DRAFT, true), (draw) => queueMicrotask(draw));
  const page = new Controller(
    store,
    () => ({ service: linearRace(new MemoryLibrary()), close: () => undefined }),
    {
      read: () => null,
      write: () => undefined,
    },
    (name, bytes) => void saved.set(name, new TextDecoder().decode(bytes)),
  );
  await page.open();
  const actions = dataOf(page);
  page.link.service!.runPairs = async () => [
    { made: exampleEntry("x").example, now: exampleEntry("x").example, seed: null, before: null, after: null },
  ];
  await actions.load([{ runId: "run", lane: 0, name: "random" }]);
  const { rows } = dataSlice.of(store.state);
  actions.save(rows ?? [], "csv");
  actions.save(rows ?? [], "jsonl");
  expect(saved.get("pairs.csv")?.split("\r\n")).toHaveLength(3);
  expect(JSON.parse(saved.get("pairs.jsonl") ?? "")).toMatchObject({ id: "x", accepted: true });
});

test("a question is answered by the untouched and both taught students, checked, token by token", async () => {
  await open();
  await race();
  await view("talk", ".example");
  all<HTMLButtonElement>(".example")[0]?.click();
  const question = root.querySelector<HTMLTextAreaElement>("#talk-question");
  await eventually(() => expect(question?.value).toMatch(/^What is \d+ \+ \d+\?$/));
  question?.focus();
  await userEvent.keyboard("{Control>}{Enter}{/Control}");
  await eventually(() => expect(all(".outcome")).toHaveLength(3));
  expect(all(".answer h3").map(({ textContent }) => textContent)).toEqual(["Untouched student", "random", "own-loss"]);
  for (const outcome of all(".outcome")) expect(outcome.textContent).toMatch(/^(Right|Wrong): /);
  const [first] = all(".answer");
  if (first === undefined) throw new Error("no answer");
  expect(first.querySelector(".answer-text")?.textContent).toMatch(/#### 0end/);
  const slider = first.querySelector<HTMLInputElement>("input[type=range]");
  slider?.focus();
  await userEvent.keyboard("{Home}");
  await eventually(() => expect(slider?.getAttribute("aria-valuetext")).toMatch(/^token 1 of \d+: .*75\.0/));
  expect(first.querySelectorAll(".alternative")).toHaveLength(2);
});

test("an untaught student can be asked before any race, and Stop ends an answer", async () => {
  let release = (): void => undefined;
  const stopped = new Promise<void>((resolve) => (release = resolve));
  await open(new MemoryLibrary(), (service) => {
    const stopTalk = service.stopTalk.bind(service);
    service.stopTalk = () => {
      release();
      return stopTalk();
    };
    const talk = service.talk.bind(service);
    // Held back until the test has pressed Stop.
    service.talk = async (request) => {
      await stopped;
      return talk(request);
    };
  });
  await view("talk", ".example");
  await eventually(() => expect(root.querySelector<HTMLTextAreaElement>("#talk-question")?.value).not.toBe(""));
  button("Ask").click();
  await eventually(() => expect(button("Stop").disabled).toBe(false));
  button("Stop").click();
  await eventually(() =>
    expect(all(".answer h3").map(({ textContent }) => textContent)).toEqual(["Untouched student"]),
  );
  await eventually(() => expect(button("Ask").disabled).toBe(false));
});

test("runs are named, compared, exported, deleted and imported again", async () => {
  const library = new MemoryLibrary();
  let archive: Uint8Array = new Uint8Array();
  await open(library, (service) => {
    const exportRuns = service.exportRuns.bind(service);
    service.exportRuns = async (ids) => {
      const exported = await exportRuns(ids);
      ({ archive } = exported);
      return exported;
    };
  });
  await race();
  await view("runs", ".race");
  const note = (): string => root.querySelector(".runs-status")?.textContent ?? "";
  button(`Rename ${root.querySelector(".race")?.getAttribute("aria-label") ?? ""}`).click();
  await eventually(() => expect(root.querySelector(".rename input")).not.toBeNull());
  await userEvent.keyboard("My first race{Enter}");
  await eventually(() => expect(root.querySelector(".race")?.getAttribute("aria-label")).toBe("My first race"));
  root.querySelector<HTMLInputElement>(".race-compare input")?.click();
  await eventually(() => expect(all<SVGElement>(".plot .series")).toHaveLength(2));
  expect(all(".compare-table tbody tr")).toHaveLength(2);

  button("Export the whole run").click();
  await eventually(() => expect(note()).toMatch(/^Exported /));
  // An open race is not deleted under its loop.
  expect(button("Delete").disabled).toBe(true);
  location.hash = "#/race";
  await eventually(() => expect(button("New run")).not.toBeUndefined());
  button("New run").click();
  await view("runs", ".race");
  await eventually(() => expect(button("Delete").disabled).toBe(false));
  button("Delete").click();
  await eventually(() => expect(document.activeElement?.textContent).toBe("Keep"));
  all<HTMLButtonElement>(".confirm .danger")[0]?.click();
  await eventually(() => expect(root.querySelector(".empty")?.textContent).toContain("No run is kept yet"));
  expect(await library.list()).toEqual([]);

  const input = root.querySelector<HTMLInputElement>("input[type=file]");
  const files = (name: string, bytes: Uint8Array<ArrayBuffer>): void => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name));
    if (input === null) throw new Error("no file input");
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  files("broken.zip", new Uint8Array(10));
  await eventually(() => expect(root.querySelector("[role=alert]")?.textContent).toContain("no such archive"));
  files("run.zip", new Uint8Array(archive));
  await eventually(() => expect(note()).toBe("Imported 2 runs from run.zip."));
  expect(root.querySelector(".race")?.getAttribute("aria-label")).toBe("My first race");
  button("Show").click();
  await eventually(() => expect(all(".curve-point")).toHaveLength(6));
});

test("an unfinished run is resumed from the list; one that another tab holds is not", async () => {
  const library = new MemoryLibrary();
  await open(library);
  button("Step").click();
  await eventually(() => expect(root.querySelectorAll(".curve-point")).toHaveLength(2));
  unmount();
  let elsewhere = true;
  await open(library, (service) => {
    const runs = service.runs.bind(service);
    service.runs = async () => (await runs()).map((run) => ({ ...run, elsewhere }));
  });
  await view("runs", ".race");
  await eventually(() => expect(root.querySelector(".race-progress")?.textContent).toContain("open in another tab"));
  expect([button("Resume").disabled, button("Delete").disabled]).toEqual([true, true]);
  elsewhere = false;
  root.querySelector<HTMLInputElement>(".race-compare input")?.click();
  await eventually(() => expect(button("Resume").disabled).toBe(false));
  button("Resume").click();
  await eventually(() => expect(root.querySelector(".status")?.textContent).toBe("Finished."));
  expect(all(".curve-point")).toHaveLength(6);
});

/** Animations and transitions that will end and have not. */
const moving = (): number =>
  document
    .getAnimations()
    .filter(({ playState, effect }) => playState === "running" && effect?.getComputedTiming().endTime !== Infinity)
    .length;

test("axe finds nothing serious in the three views and a pair's details, light and dark", async () => {
  await open();
  await race();
  const look = async (what: string): Promise<void> => {
    for (const theme of ["light", "dark"]) {
      document.documentElement.dataset["theme"] = theme;
      // Colours on their way are nobody's choice.
      await eventually(() => expect(moving()).toBe(0));
      const { violations } = await axe.run(root);
      const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      expect(
        serious.map(
          ({ id, nodes }) => `${what}, ${theme}: ${id} ${nodes[0]?.html ?? ""} ${nodes[0]?.failureSummary ?? ""}`,
        ),
      ).toEqual([]);
    }
  };
  await view("data", ".pair-row");
  await look("data");
  root.querySelector<HTMLElement>(".pair-row")?.click();
  await eventually(() => expect(root.querySelector("dialog[open] .facts")).not.toBeNull());
  await look("details");
  await userEvent.keyboard("{Escape}");
  await eventually(() => expect(root.querySelector("dialog")).toBeNull());
  await view("talk", ".example");
  button("Ask").click();
  await eventually(() => expect(all(".outcome")).toHaveLength(3));
  await look("talk");
  await view("runs", ".race");
  root.querySelector<HTMLInputElement>(".race-compare input")?.click();
  await eventually(() => expect(all<SVGElement>(".plot .series")).toHaveLength(2));
  all<HTMLDetailsElement>("details.downloads")[0]?.setAttribute("open", "");
  await look("runs");
});

test("text of teachers, students and files is never markup", async () => {
  const evil = `<img src=x onerror="globalThis.hacked = true">`;
  await open(new MemoryLibrary(), (service) => {
    const runPairs = service.runPairs.bind(service);
    service.runPairs = async (runId) =>
      (await runPairs(runId)).map((pair) => ({
        ...pair,
        now: { ...pair.now, question: evil, answer: evil, reason: evil },
        seed: { question: evil, answer: evil, level: evil },
      }));
    service.sampleQuestions = async () => [{ question: evil, answer: evil, level: evil }];
    const runs = service.runs.bind(service);
    service.runs = async () => (await runs()).map((run) => ({ ...run, label: evil }));
  });
  await race();
  await view("data", ".pair-row");
  root.querySelector<HTMLElement>(".pair-row")?.click();
  await eventually(() => expect(root.querySelector("dialog .worked")?.textContent).toBe(evil));
  await userEvent.keyboard("{Escape}");
  await view("talk", ".example");
  await eventually(() => expect(root.querySelector(".example-text")?.textContent).toBe(evil));
  button("Ask").click();
  await eventually(() => expect(root.querySelector(".asked")?.textContent).toContain(evil));
  await view("runs", ".race");
  expect(root.querySelector(".race h3")?.textContent).toContain(evil);
  expect(root.querySelector("img, script")).toBeNull();
  expect(globalThis).not.toHaveProperty("hacked");
});
