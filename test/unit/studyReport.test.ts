/** @file The report as a document: complete, self-contained, readable without its drawings, whatever the labels say. */
import { expect, test } from "vitest";
import { reportHtml } from "../../src/charts/reportHtml.tsx";
import { analyzeStudy } from "../../src/study/analyze.ts";
import { example, run, study } from "../support/studyRuns.ts";

const scored = (seed: number) =>
  [1, 2].flatMap((index) =>
    [1, 2, 3].map((score) =>
      example(index, `what is ${index + score}?`, { seedScore: score + seed, score: score * index }),
    ),
  );
const report = analyzeStudy(
  study(
    ["sums", "puzzles"].flatMap((task) =>
      [1, 2].flatMap((seed) => [
        run({ task, strategy: "random", seed }, [40, 50, 61]),
        run({ task, strategy: "<b>own</b>", seed }, [40, 60 + seed, 70 + seed], { examples: scored(seed) }),
        run(
          { task, strategy: "badge", seed },
          [40, 45, 44],
          seed === 1 ? {} : { state: "failed", message: "non-finite loss" },
        ),
      ]),
    ),
  ),
);
const html = reportHtml(report);

test("it asks nothing of a network and runs nothing", () => {
  expect(html).toContain("default-src 'none'");
  expect(html).not.toMatch(/<script|<link|<img|src=|href=|url\(|@import/i);
  expect(html).toContain("color-scheme: light dark");
});

test("labels are text, never markup; no number is missing where one was meant", () => {
  expect(html).not.toContain("<b>own");
  expect(html).toContain("&lt;b>own&lt;/b>");
  expect(html.replaceAll(/<style>.*?<\/style>/gs, "")).not.toMatch(/NaN|undefined|Infinity|\[object/);
});

test("every drawing has a text, and every plotted number stands in a table", () => {
  const drawings = html.match(/<svg(?:[^>"]|"[^"]*")*>/g) ?? [];
  expect(drawings.length).toBeGreaterThan(6);
  for (const svg of drawings) expect(svg).toMatch(/role="img" aria-label="[^"]{20,}"/);
  const cells = html.replaceAll("\u00a0", " ").replaceAll(/<small[^>]*>.*?<\/small>/g, "");
  for (const { strategies } of report.comparisons)
    for (const { curve } of strategies)
      for (const { accuracy } of curve) expect(cells).toContain(`<td>${(100 * accuracy.value).toFixed(1)} %</td>`);
  const tables = html.match(/<table/g) ?? [];
  expect((html.match(/<caption/g) ?? []).length).toBe(tables.length);
});

test("axes carry quantity, unit and number of questions; failures and cautions are told", () => {
  for (const text of [
    "accepted pairs",
    "teacher tokens",
    "wall time, s",
    "% right of 100 test questions",
    "n = 2",
    "points of accuracy",
  ])
    expect(html).toContain(text);
  expect(html).toContain("sums.default.badge.2</code>: failed, non-finite loss");
  for (const caution of report.cautions) expect(html).toContain(caution);
});

test("a report without a finished run is still a document", () => {
  const empty = reportHtml(analyzeStudy(study([run({ strategy: "random", seed: 1 }, [], { state: "missing" })])));
  expect(empty).toContain("0 of 1 runs finished");
  expect(empty).not.toMatch(/NaN|undefined/);
});
