/** @file Runs of a study that never computed anything: curves and picks chosen so that the right answers can be worked out by hand. */
import type { RoundSummary, SyntheticExample } from "../../src/loop/records.ts";
import type { StudyInput, StudyRun } from "../../src/study/types.ts";

/** A round with so many right of 100; each round accepts 10 pairs, of 500 teacher tokens, an eighth of a dollar and two seconds. */
export function round(index: number, correct: number): RoundSummary {
  const trained = index > 0;
  return {
    round: index,
    examples: 10 * index,
    accepted: trained ? 10 : 0,
    rejected: 0,
    outcomes: trained ? { passed: 10 } : {},
    refills: 0,
    taught: trained ? 10 : 0,
    unsound: 0,
    teacher: {
      requests: trained ? 10 : 0,
      promptTokens: trained ? 300 : 0,
      completionTokens: trained ? 200 : 0,
      costUsd: trained ? 0.125 : 0,
      durationMs: 0,
    },
    evaluation: { split: "test", n: 100, correct, accuracy: correct / 100, low: 0, high: 1, byLevel: {}, byTag: {} },
    meanLoss: trained ? 1 : null,
    steps: trained ? 5 : 0,
    rows: 10 * index,
    poolAccuracy: null,
    stop: null,
    durationMs: 2000,
  };
}

/** A finished run with these numbers of right answers after each round. */
export function run(
  place: { readonly task?: string; readonly strategy: string; readonly seed: number; readonly option?: string },
  correct: readonly number[],
  more: Partial<StudyRun> = {},
): StudyRun {
  const { task = "sums", option = "default", strategy, seed } = place;
  return {
    cell: { id: `${task}.${option}.${strategy}.${seed}`, task, option, strategy, seed },
    state: "finished",
    engine: "cpu, 1 thread",
    rounds: correct.map((value, index) => round(index, value)),
    examples: [],
    picks: [],
    ...more,
  };
}

/** An accepted pair. */
export function example(
  roundIndex: number,
  question: string,
  scores: Partial<SyntheticExample> = {},
): SyntheticExample {
  return {
    id: question,
    round: roundIndex,
    seedId: "s",
    operation: "vary",
    question,
    answer: "",
    accepted: true,
    verification: "passed",
    reason: "",
    usage: { requests: 1, promptTokens: 0, completionTokens: 0, costUsd: 0, durationMs: 0 },
    ...scores,
  };
}

/** A study over these runs; labels in order of appearance. */
export function study(runs: readonly StudyRun[], more: Partial<StudyInput> = {}): StudyInput {
  const labels = <T>(of: (run: StudyRun) => T): T[] => [...new Set(runs.map(of))];
  return {
    name: "by hand",
    version: "0",
    tasks: labels(({ cell }) => cell.task),
    strategies: labels(({ cell }) => cell.strategy),
    options: labels(({ cell }) => cell.option),
    seeds: labels(({ cell }) => cell.seed),
    reference: "random",
    targets: [],
    confidence: 0.95,
    resamples: 400,
    runs,
    ...more,
  };
}
