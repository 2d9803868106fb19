/** @file What the views of data, talk and runs work out: rows found, sorted and written to files; a talk as it grows; races of kept runs. */
import Papa from "papaparse";
import { describe, expect, it } from "vitest";
import {
  exportedRow,
  fateOf,
  filterRows,
  rowsToCsv,
  rowsToJsonl,
  sortRows,
  tableRows,
} from "../../src/app/views/data/pairTable.ts";
import { groupRuns, shortTitle, titleOf } from "../../src/app/views/runs/keptRaces.ts";
import { doubtOf } from "../../src/app/views/talk/answerCard.tsx";
import { afterEvent, type Talk } from "../../src/app/views/talk/talkActions.ts";
import type { RunHeader } from "../../src/loop/runStore.ts";
import type { PairRow, TalkEvent } from "../../src/protocol/loopService.ts";
import { exampleEntry, manifestOf } from "../support/runLibrarySuite.ts";

const RUN = { runId: "run-1", lane: 0, name: "own-loss" };
const OTHER = { runId: "run-2", lane: 1, name: "random" };

function pair(id: string, change: Partial<PairRow["made"]> = {}, more: Partial<PairRow> = {}): PairRow {
  const made = { ...exampleEntry(id).example, ...change };
  return {
    made,
    now: made,
    seed: { question: `seed of ${id}`, answer: "", level: "" },
    before: null,
    after: null,
    ...more,
  };
}

const rows = [
  ...tableRows(RUN, [
    pair(
      "a",
      { question: "Ten apples", round: 1, seedScore: 0.5 },
      { before: { trueLoss: 2 }, after: { trueLoss: 1 } },
    ),
    pair("b", { question: "Ten pears", round: 2, accepted: false, verification: "failed", reason: "wrong sum" }),
    pair("c", { question: "Two apples", round: 10, accepted: false, verification: "near-duplicate" }),
  ]),
  ...tableRows(OTHER, [
    pair(
      "d",
      { question: '=HYPERLINK("x")', answer: 'say "hi",\nthen #### 3', seedScore: 2 },
      { before: { trueLoss: 0 } },
    ),
  ]),
];
const ids = (found: readonly { readonly made: { readonly id: string } }[]): string =>
  found.map(({ made }) => made.id).join("");
const ALL = { search: "", lane: "", round: "", fate: "" };

describe("rows of pairs", () => {
  it("are found by all words of a search, whatever their case, also in seeds and reasons", () => {
    expect(ids(filterRows(rows, { ...ALL, search: "APPLES ten" }))).toBe("a");
    expect(ids(filterRows(rows, { ...ALL, search: "seed of" }))).toBe("abcd");
    expect(ids(filterRows(rows, { ...ALL, search: "wrong" }))).toBe("b");
    expect(ids(filterRows(rows, { ...ALL, search: "(" }))).toBe("d");
  });

  it("are filtered by lane, round and outcome at once", () => {
    expect(ids(filterRows(rows, { ...ALL, lane: "run-1" }))).toBe("abc");
    expect(ids(filterRows(rows, { ...ALL, round: "1" }))).toBe("ad");
    expect(ids(filterRows(rows, { ...ALL, lane: "run-1", fate: "duplicate" }))).toBe("c");
  });

  it("are sorted by number or text, stably, with those without a value last either way", () => {
    const by = (column: Parameters<typeof sortRows>[1]["column"], descending: boolean) =>
      ids(sortRows(rows, { column, descending }, "true"));
    expect(by("round", false)).toBe("adbc");
    expect(by("round", true)).toBe("cbad");
    expect(by("score", false)).toBe("adbc");
    expect(by("score", true)).toBe("dabc");
    expect(by("before", false)).toBe("dabc");
    expect(by("before", true)).toBe("adbc");
    expect(by("question", false)).toBe("dabc");
  });

  it("know what became of a pair, a person's word before the check's", () => {
    expect(rows.map(fateOf)).toEqual(["accepted", "rejected", "duplicate", "accepted"]);
    const intervention = { id: "i", exampleId: "a", round: 2, at: "", action: "reject" as const, reason: "" };
    expect(fateOf({ ...pair("a"), intervention })).toBe("by hand");
    expect(fateOf({ ...pair("a"), intervention: { ...intervention, action: "restore" } })).toBe("accepted");
  });

  it("come back from CSV as they were, but for what a spreadsheet would run", () => {
    const parsed = Papa.parse<Record<string, string>>(rowsToCsv(rows), { header: true, skipEmptyLines: true });
    expect(parsed.errors).toEqual([]);
    expect(parsed.data).toHaveLength(4);
    expect(parsed.data[0]).toMatchObject({
      id: "a",
      question: "Ten apples",
      accepted: "true",
      seedScore: "0.5",
      level: "",
    });
    expect(parsed.data[3]).toMatchObject({ question: `'=HYPERLINK("x")`, answer: 'say "hi",\nthen #### 3' });
    expect(rowsToCsv([])).toBe("\r\n");
  });

  it("come back from JSON Lines exactly", () => {
    const lines = rowsToJsonl(rows).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual(rows.map(exportedRow));
  });
});

describe("a talk", () => {
  const empty: Talk = { id: 1, question: "?", prompt: "", speakers: [], answers: [], running: true };
  const token = { text: "7", probability: 0.5, end: false, prompt: 0, alternatives: [] };
  const answer = { completion: "7", tokens: 2, finishReason: "stop" as const, verdict: null };

  it("grows by its events, each for its speaker", () => {
    const events: TalkEvent[] = [
      { kind: "speakers", speakers: [{ rounds: 0 }, { lane: 0, rounds: 2 }] },
      { kind: "waiting", speaker: 0 },
      { kind: "begins", speaker: 0, prompt: "Q: ?" },
      { kind: "token", speaker: 0, token },
      { kind: "answer", speaker: 0, answer },
      { kind: "begins", speaker: 1, prompt: "Q: ?" },
    ];
    const after = events.reduce(afterEvent, empty);
    expect(after.prompt).toBe("Q: ?");
    expect(after.answers).toEqual([
      { status: "done", tokens: [token], answer },
      { status: "speaking", tokens: [], answer: null },
    ]);
    // Of a speaker that was not announced.
    expect(afterEvent(empty, { kind: "token", speaker: 3, token })).toBe(empty);
  });

  it("shades tokens by doubt, from certain to one in ten or less", () => {
    expect([1, 0.1, 0.01, 0].map(doubtOf)).toEqual([0, 1, 1, 1]);
    expect(doubtOf(Math.sqrt(0.1))).toBeCloseTo(0.5, 9);
  });
});

describe("kept runs", () => {
  const header = (
    runId: string,
    race: string | undefined,
    lane: number,
    change: Partial<RunHeader> = {},
  ): RunHeader => ({
    manifest: { ...manifestOf(runId), ...(race === undefined ? {} : { race: { id: race, lane } }) },
    lastRound: 1,
    accuracy: 0.5,
    finished: false,
    checkpointBytes: 10,
    elsewhere: false,
    ...change,
  });

  it("are races of lanes in order, as far as the slowest, held if one is", () => {
    const races = groupRuns([
      header("b", "r", 1, { lastRound: 2, finished: true }),
      header("x", undefined, 0, { finished: true, label: "alone" }),
      header("a", "r", 0, { elsewhere: true }),
    ]);
    expect(races).toMatchObject([
      { key: "r", lastRound: 1, finished: false, elsewhere: true, checkpointBytes: 20 },
      { key: "x", label: "alone", finished: true, elsewhere: false },
    ]);
    expect(races[0]?.lanes.map(({ manifest }) => manifest.runId)).toEqual(["a", "b"]);
    expect(races.map(titleOf)).toEqual([expect.stringMatching(/: .*, /), "alone"]);
    expect(races.map(shortTitle)[1]).toBe("alone");
  });
});
