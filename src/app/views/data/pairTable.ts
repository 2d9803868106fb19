/** @file The rows of the data table: searched, filtered, sorted, written as CSV and JSON Lines. Pure. */
import type { PairRow } from "../../../protocol/loopService.ts";

/** Which loss of a seed: of the student's own answer, or of the worked one. */
export type LossKind = "own" | "true";

/** Whose pairs: a run, with its place among those shown. */
export interface ShownRun {
  readonly runId: string;
  /** Index of its mark. */
  readonly lane: number;
  readonly name: string;
}

export interface TableRow extends PairRow {
  readonly key: string;
  readonly run: ShownRun;
  /** Everything a search looks at, in lower case. */
  readonly text: string;
}

/** What became of a pair, people's decisions included. */
export const FATES = ["accepted", "rejected", "duplicate", "by hand"] as const;
export type Fate = (typeof FATES)[number];

export const COLUMNS = [
  "fate",
  "question",
  "seed",
  "lane",
  "round",
  "score",
  "before",
  "after",
  "check",
  "cost",
] as const;
export type Column = (typeof COLUMNS)[number];

export interface Sorting {
  readonly column: Column;
  readonly descending: boolean;
}

/** "" stands for every value. */
export interface Filters {
  readonly search: string;
  readonly lane: string;
  readonly round: string;
  readonly fate: string;
}

/** Rows of a run, in the order in which the pairs were made. */
export function tableRows(run: ShownRun, pairs: readonly PairRow[]): readonly TableRow[] {
  return pairs.map((pair) => {
    const { made, now, seed, intervention } = pair;
    const words = [made.id, made.question, now.question, now.answer, now.reason, seed?.question, intervention?.reason];
    return {
      ...pair,
      key: `${run.runId} ${made.id}`,
      run,
      text: words
        .filter((word) => word !== undefined)
        .join("\n")
        .toLowerCase(),
    };
  });
}

/** What became of the pair. */
export function fateOf({ made, now, intervention }: PairRow): Fate {
  if (intervention !== undefined && intervention.action !== "restore") return "by hand";
  if (now.accepted) return "accepted";
  return made.verification === "duplicate" || made.verification === "near-duplicate" ? "duplicate" : "rejected";
}

/** The seed's loss in nats before or after, of the student's own answer or of the worked one; undefined where it was not computed. */
export function lossOf(state: PairRow["before"], kind: LossKind): number | undefined {
  return kind === "own" ? state?.ownLoss : state?.trueLoss;
}

/** Rows that every filter lets through; the search's words must all be there. */
export function filterRows(rows: readonly TableRow[], { search, lane, round, fate }: Filters): readonly TableRow[] {
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  return rows.filter(
    (row) =>
      (lane === "" || row.run.runId === lane) &&
      (round === "" || row.made.round === Number(round)) &&
      (fate === "" || fateOf(row) === fate) &&
      words.every((word) => row.text.includes(word)),
  );
}

/** A new list in order; equal ones stay as they were made, those without a value come last either way. */
export function sortRows(
  rows: readonly TableRow[],
  { column, descending }: Sorting,
  kind: LossKind,
): readonly TableRow[] {
  const sign = descending ? -1 : 1;
  const keyed = rows.map((row, index) => ({ row, index, value: sortValue(row, column, kind) }));
  keyed.sort((a, b) => {
    if (a.value === b.value) return a.index - b.index;
    if (a.value === undefined) return 1;
    if (b.value === undefined) return -1;
    return (a.value < b.value ? -sign : sign) || a.index - b.index;
  });
  return keyed.map(({ row }) => row);
}

function sortValue(row: TableRow, column: Column, kind: LossKind): number | string | undefined {
  const { made, now, before, after, run } = row;
  switch (column) {
    case "fate":
      return FATES.indexOf(fateOf(row));
    case "question":
      return now.question;
    case "seed":
      return made.seedId;
    case "lane":
      return run.lane;
    case "round":
      return made.round;
    case "score":
      return made.seedScore ?? undefined;
    case "before":
      return lossOf(before, kind);
    case "after":
      return lossOf(after, kind);
    case "check":
      return now.reason;
    case "cost":
      return tokensOf(row);
    default:
      return column satisfies never;
  }
}

/** Tokens that the teacher used for the pair. */
export function tokensOf({ made: { usage } }: PairRow): number {
  return usage.promptTokens + usage.completionTokens;
}

/** A row as plain data, the same fields in every file. */
export function exportedRow(row: TableRow): Readonly<Record<string, string | number | boolean | null>> {
  const { made, now, seed, before, after, run, intervention } = row;
  return {
    id: made.id,
    run: run.runId,
    strategy: run.name,
    round: made.round,
    outcome: fateOf(row),
    accepted: now.accepted,
    question: now.question,
    answer: now.answer,
    reason: now.reason,
    verification: made.verification,
    operation: made.operation,
    level: made.level ?? null,
    seedId: made.seedId,
    seedQuestion: seed?.question ?? null,
    seedScore: made.seedScore ?? null,
    seedRank: made.seedRank ?? null,
    seedOwnLossBefore: before?.ownLoss ?? null,
    seedOwnLossAfter: after?.ownLoss ?? null,
    seedTrueLossBefore: before?.trueLoss ?? null,
    seedTrueLossAfter: after?.trueLoss ?? null,
    seedCorrectBefore: before?.correct ?? null,
    seedCorrectAfter: after?.correct ?? null,
    teacherRequests: made.usage.requests,
    teacherPromptTokens: made.usage.promptTokens,
    teacherCompletionTokens: made.usage.completionTokens,
    teacherCostUsd: made.usage.costUsd,
    byHand: intervention?.action ?? null,
    originalQuestion: now.question === made.question ? null : made.question,
    originalAnswer: now.answer === made.answer ? null : made.answer,
  };
}

/** JSON Lines, exact. */
export function rowsToJsonl(rows: readonly TableRow[]): string {
  return rows.map((row) => `${JSON.stringify(exportedRow(row))}\n`).join("");
}

/** Text that a spreadsheet would take for a formula; teachers write what they like. */
const FORMULA = /^[=+\-@\t\r]/;

/** CSV (RFC 4180) with a head line. A text that a spreadsheet would run as a formula gets an apostrophe before it. */
export function rowsToCsv(rows: readonly TableRow[]): string {
  const exported = rows.map(exportedRow);
  const names = Object.keys(exported[0] ?? {});
  const cell = (value: string | number | boolean | null | undefined): string => {
    if (typeof value !== "string") return value === null || value === undefined ? "" : String(value);
    const safe = FORMULA.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [names, ...exported.map((row) => names.map((name) => cell(row[name])))]
    .map((line) => `${line.join(",")}\r\n`)
    .join("");
}
