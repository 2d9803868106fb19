/** @file The studies view in a real browser: a report is opened and refused, a grid is run on the real loop over a small student, figures and tables are taken away. */
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import "../../src/app/styles/page.css";
import { mountPage } from "../../src/app/mountPage.tsx";
import { pngBytes, pointsCsv, svgText, tableCsv } from "../../src/app/views/studies/takeAway.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { analyzeStudy } from "../../src/study/analyze.ts";
import { eventually } from "../support/eventually.ts";
import { linearRace } from "../support/linearRace.ts";
import { run, study } from "../support/studyRuns.ts";

const RUNS = [1, 2, 3].flatMap((seed) => [
  run({ strategy: "random", seed }, [40, 50, 60 + seed]),
  run({ strategy: "own-loss", seed }, [40, 60 + seed, 70 + seed]),
]);
const REPORT = analyzeStudy({ ...study(RUNS), name: "<img src=x onerror=alert(1)>" });

let root: HTMLElement;
let library: MemoryLibrary;
let unmount = (): void => undefined;

beforeEach(() => {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries({ rounds: "1", query: "4", each: "1", pool: "12", test: "10", seed: "5" }))
    query.set(name, value);
  history.replaceState(null, "", `?${query.toString()}#/studies`);
  library = new MemoryLibrary();
  root = document.createElement("div");
  document.body.append(root);
  unmount = mountPage(root, () => {
    const service = linearRace(library);
    return { service, close: () => void service.stop() };
  });
});

afterEach(() => {
  unmount();
  root.remove();
  location.hash = "";
});

const fileInput = (): HTMLInputElement | null => root.querySelector<HTMLInputElement>("#study-file");
const choose = async (text: string): Promise<void> => {
  await eventually(() => expect(fileInput()).not.toBeNull());
  const files = new DataTransfer();
  files.items.add(new File([text], "report.json"));
  fileInput()!.files = files.files;
  fileInput()!.dispatchEvent(new Event("change", { bubbles: true }));
};

test("a report of the terminal is shown as text, with its figures and tables to take away", async () => {
  await choose(JSON.stringify(REPORT));
  await eventually(() => expect(root.querySelector(".study-report")?.textContent).toContain("<img src=x"));
  expect(root.querySelector(".study-report img")).toBeNull();
  const optionsNow = (): string[] =>
    [...root.querySelectorAll("#study-part option")].map(({ textContent }) => textContent ?? "");
  await eventually(() => expect(optionsNow().length).toBeGreaterThan(3));
  const options = optionsNow();
  expect(options.some((text) => text.startsWith("Figure: "))).toBe(true);
  expect(options.some((text) => text.startsWith("Table: "))).toBe(true);

  const figure = root.querySelector<SVGSVGElement>(".study-report svg[viewBox]")!;
  const svg = svgText(figure);
  const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
  expect(parsed.querySelector("parsererror")).toBeNull();
  expect(parsed.querySelectorAll("path, line, circle, polyline").length).toBeGreaterThan(3);
  expect(svg).not.toMatch(/class=|var\(/);
  const png = await pngBytes(figure);
  expect(new TextDecoder().decode(png.slice(1, 4))).toBe("PNG");
  const bitmap = await createImageBitmap(new Blob([png.slice()]));
  expect(bitmap.width).toBe(figure.viewBox.baseVal.width * 2);

  const lines = pointsCsv(REPORT).trim().split("\n");
  expect(lines[0]).toBe("task,option,strategy,seed,round,examples,teacherTokens,costUsd,wallSeconds,correct,n");
  expect(lines.length).toBe(1 + 6 * 3);
  const table = root.querySelector("table")!;
  expect(tableCsv(table).trim().split("\n").length).toBe(table.rows.length);
  const odd = document.createElement("table");
  odd.innerHTML = "<tr><td>=1+1</td><td>a, b</td><td>-0.5</td></tr>";
  expect(tableCsv(odd)).toBe(`'=1+1,"a, b",-0.5\n`);
});

test("what is no report is refused in words, and the one before stays", async () => {
  await choose(JSON.stringify(REPORT));
  await eventually(() => expect(root.querySelector(".study-report")).not.toBeNull());
  await choose("{");
  await eventually(() =>
    expect(root.querySelector("[role=alert]")?.textContent).toMatch(/report\.json, got what is no JSON/),
  );
  await choose(JSON.stringify({ ...REPORT, seeds: "many" }));
  await eventually(() =>
    expect(root.querySelector("[role=alert]")?.textContent).toMatch(/report\.json, seeds: expected/),
  );
  expect(root.querySelector(".study-report")).not.toBeNull();
});

test("the reports that come with the page are shown, and one that cannot be had says so", async () => {
  const press = (title: string): void =>
    [...root.querySelectorAll<HTMLButtonElement>(".studies-examples button")]
      .find(({ textContent }) => textContent === title)
      ?.click();
  await eventually(() => expect(root.querySelectorAll(".studies-examples button").length).toBe(2));
  press("A rare kind");
  await eventually(() =>
    expect(root.querySelector(".study-report")?.textContent).toContain("225 of 225 runs finished"),
  );
  press("The paper's comparison");
  await eventually(() =>
    expect(root.querySelector(".study-report")?.textContent).toContain("300 of 300 runs finished"),
  );
  const fetching = vi.spyOn(globalThis, "fetch").mockRejectedValueOnce(new TypeError("Failed to fetch"));
  onTestFinished(() => fetching.mockRestore());
  press("A rare kind");
  await eventually(() => expect(root.querySelector("[role=alert]")?.textContent).toMatch(/A rare kind: no network/));
  expect(root.querySelector(".study-report")?.textContent).toContain("300 of 300 runs finished");
});

test("a small grid runs in the tab, is kept as runs, and becomes a report", async () => {
  const button = (): HTMLButtonElement | undefined =>
    [...root.querySelectorAll("button")].find(({ textContent }) => (textContent ?? "").startsWith("Run 6 runs"));
  await eventually(() => expect(button()?.disabled).toBe(false));
  button()!.click();
  await eventually(() => expect(root.querySelector(".study-report")?.textContent).toContain("6 of 6 runs finished"));
  const text = root.querySelector(".study-report")?.textContent ?? "";
  expect(text).toContain("own-loss");
  const runs = await library.list();
  expect(runs.length).toBe(6);
  expect([...new Set(runs.map(({ manifest }) => manifest.config.seed))].sort((a, b) => a - b)).toEqual([5, 6, 7]);
  // The accuracies are the stored runs' own.
  const last = runs
    .filter(({ manifest }) => manifest.config.strategy.name === "own-loss")
    .map(({ accuracy }) => accuracy ?? 0);
  const mean = (100 * last.reduce((sum, value) => sum + value, 0)) / last.length;
  expect(text).toContain(mean.toFixed(1));
  // The race of the page is as it was.
  location.hash = "#/race";
  await eventually(() => expect(root.querySelector(".curve-title, #curve-title")).not.toBeNull());
  expect(root.querySelectorAll(".curve-point").length).toBe(0);
});
