/**
 * @file From the runs of a study to its report. Pure: the same runs give the same report, all
 * resampling being seeded by the names of what is compared. Not here: reading runs, drawing.
 */
import { Rng } from "../core/rng.ts";
import type { Evaluation } from "../loop/records.ts";
import { pointAt, runPoints, type RunPoint } from "./curves.ts";
import { cautionsOf } from "./cautions.ts";
import { diagnose } from "./diagnostics.ts";
import { fidelityOf, type RunFidelity } from "./fidelity.ts";
import { differenceOf, matchesOf, pairedDifferences, type Scores } from "./matches.ts";
import type { Comparison, Difference, Estimate, Matches, StrategyReport, StudyReportData } from "./reportSchema.ts";
import { Resampling } from "./resampling.ts";
import { mean } from "./sampling.ts";
import { holm, spearman } from "./significance.ts";
import { defaultTargets, priceOf, type CurveUnit } from "./targets.ts";
import type { StudyInput, StudyRun } from "./types.ts";

/** Root of all resampling: a report says nothing that depends on chance twice. */
const ANALYSIS_SEED = 20_251_130;

/** A finished run as the analysis uses it. */
interface Analysed {
  readonly strategy: string;
  readonly task: string;
  readonly seed: number;
  readonly points: readonly RunPoint[];
  /** At the end. */
  readonly byLevel: Evaluation["byLevel"];
  readonly figures: Readonly<Record<string, number>>;
  readonly fidelity: RunFidelity | undefined;
}

/** The report of a study, whatever is missing of it. */
export function analyzeStudy(input: StudyInput): StudyReportData {
  const finished = input.runs.filter((run) => run.state === "finished" && run.rounds.length > 0);
  const resampling = new Resampling(new Rng(ANALYSIS_SEED), input.resamples, input.confidence);
  const comparisons = input.options.flatMap((option) =>
    input.tasks.flatMap((task) => {
      const runs = finished.filter(({ cell }) => cell.task === task && cell.option === option);
      return runs.length === 0 ? [] : [compare(input, task, option, runs, resampling)];
    }),
  );
  const report = {
    schemaVersion: 1 as const,
    name: input.name,
    version: input.version,
    tasks: [...input.tasks],
    strategies: [...input.strategies],
    options: [...input.options],
    seeds: [...input.seeds],
    reference: input.reference,
    confidence: input.confidence,
    resamples: input.resamples,
    engines: [...new Set(finished.flatMap(({ engine }) => engine ?? []))].sort(),
    runs: {
      planned: input.runs.length,
      finished: finished.length,
      others: input.runs.flatMap(({ cell, state, message }) =>
        state === "finished" ? [] : [{ id: cell.id, state, message: message ?? "" }],
      ),
    },
    comparisons,
    overall: overallOf(input, finished, resampling),
  };
  return { ...report, cautions: cautionsOf(report) };
}

/** One task under one option. */
function compare(
  input: StudyInput,
  task: string,
  option: string,
  runs: readonly StudyRun[],
  all: Resampling,
): Comparison {
  const resampling = all.fork(`${task} ${option}`);
  const byStrategy = groupRuns(input, runs);
  const last = scoresOf(byStrategy, lastAccuracy);
  const first = runs[0]?.rounds[0]?.evaluation;
  const strategies = [...byStrategy].map(([name, own]) => describeStrategy(name, own, resampling));
  const against = againstReference(last, input.reference, resampling);
  const units = (name: string): readonly CurveUnit[] => byStrategy.get(name) ?? [];
  const targets = input.targets.length > 0 ? input.targets : defaultTargets(units(input.reference));
  return {
    task,
    option,
    split: first?.split ?? "test",
    questions: first?.n ?? 0,
    seeds: [...new Set(runs.map(({ cell }) => cell.seed))].sort((a, b) => a - b),
    strategies: strategies.map((strategy) => ({ ...strategy, versusReference: against.get(strategy.name) ?? null })),
    targets: targets.map((accuracy) => ({
      accuracy,
      strategies: strategies.map(({ name }) => ({
        name,
        ...priceOf(accuracy, units(name), units(input.reference), resampling),
      })),
    })),
    matches: matchesBetween(byStrategy, resampling),
    fidelity: fidelityBetween(byStrategy, resampling),
  };
}

function groupRuns(input: StudyInput, runs: readonly StudyRun[]): ReadonlyMap<string, readonly Analysed[]> {
  const groups = new Map<string, readonly Analysed[]>();
  for (const strategy of input.strategies) {
    const own = runs
      .filter(({ cell }) => cell.strategy === strategy)
      .sort((a, b) => a.cell.seed - b.cell.seed)
      .map((run) => ({
        strategy,
        task: run.cell.task,
        seed: run.cell.seed,
        points: runPoints(run.rounds),
        byLevel: run.rounds.at(-1)?.evaluation.byLevel ?? {},
        figures: diagnose(run),
        fidelity: fidelityOf(run.examples),
      }));
    if (own.length > 0) groups.set(strategy, own);
  }
  return groups;
}

function describeStrategy(name: string, runs: readonly Analysed[], resampling: Resampling): StrategyReport {
  const rounds = Math.max(...runs.map(({ points }) => points.length));
  const over = (values: readonly (number | undefined)[]): Estimate | null => estimateOf(values, resampling);
  const curve = Array.from({ length: rounds }, (_, round) => {
    const at = runs.flatMap(({ points }) => pointAt(points, round) ?? []);
    return {
      round,
      examples: mean(at.map((point) => point.examples)),
      teacherTokens: mean(at.map((point) => point.teacherTokens)),
      costUsd: mean(at.map((point) => point.costUsd)),
      wallSeconds: mean(at.map((point) => point.wallSeconds)),
      accuracy: over(at.map((point) => point.accuracy)) ?? { value: 0, low: null, high: null, n: 0 },
    };
  });
  const figureNames = [...new Set(runs.flatMap(({ figures }) => Object.keys(figures)))];
  return {
    name,
    curve,
    last: over(runs.map(lastAccuracy)),
    byLevel: levelsOf(runs, over),
    versusReference: null,
    diagnostics: Object.fromEntries(
      figureNames.flatMap((figure) => {
        const value = over(runs.map(({ figures }) => figures[figure]));
        return value === null ? [] : [[figure, value] as const];
      }),
    ),
    fidelity: strategyFidelity(runs, resampling),
    runs: runs.map(({ seed, points }) => ({
      seed,
      points: points.map(({ accuracy: _, ...point }) => point),
    })),
  };
}

/** Seeds share sizes of levels, not always questions: each run is one unit, as everywhere. */
function levelsOf(
  runs: readonly Analysed[],
  over: (values: readonly (number | undefined)[]) => Estimate | null,
): StrategyReport["byLevel"] {
  const levels = [...new Set(runs.flatMap(({ byLevel }) => Object.keys(byLevel)))];
  return levels.flatMap((level) => {
    const tallies = runs.map(({ byLevel }) => byLevel[level]);
    const accuracy = over(tallies.map((tally) => (tally === undefined ? undefined : tally.correct / tally.n)));
    const questions = tallies.find((tally) => tally !== undefined)?.n ?? 0;
    return accuracy === null ? [] : [{ level, questions, accuracy }];
  });
}

function strategyFidelity(runs: readonly Analysed[], resampling: Resampling): StrategyReport["fidelity"] {
  const known = runs.flatMap(({ fidelity }) => fidelity ?? []);
  if (known.length === 0) return null;
  const instance = estimateOf(
    known.map(({ rounds }) => (rounds.length === 0 ? undefined : mean(rounds.map(({ rho }) => rho)))),
    resampling,
  );
  const dataset = datasetCorrelation(known, resampling);
  const items = known.flatMap(({ rounds }) => rounds).reduce((sum, round) => sum + round.items, 0);
  return {
    instance: instance === null ? null : { rho: instance, points: items },
    dataset:
      dataset === null
        ? null
        : { ...dataset, medians: known.flatMap(({ medians }) => medians.map(([x, y]): [number, number] => [x, y])) },
  };
}

/** Dataset-level ρ; the runs are what is resampled. */
function datasetCorrelation(runs: readonly RunFidelity[], resampling: Resampling) {
  const rhoOf = (units: readonly RunFidelity[]): number | undefined => {
    const medians = units.flatMap(({ medians: own }) => own);
    return spearman(
      medians.map(([x]) => x),
      medians.map(([, y]) => y),
    );
  };
  const rho = rhoOf(runs);
  if (rho === undefined) return null;
  const interval = resampling.interval(runs, rhoOf);
  return {
    rho: { value: rho, low: interval?.low ?? null, high: interval?.high ?? null, n: runs.length },
    points: runs.reduce((sum, { medians }) => sum + medians.length, 0),
  };
}

/** Scores of unlike criteria do not compare: medians are ranked within their strategy first, by putting each strategy's on the scale of its seeds' medians. */
function fidelityBetween(
  groups: ReadonlyMap<string, readonly Analysed[]>,
  resampling: Resampling,
): Comparison["fidelity"] {
  const runs = [...groups.values()].flatMap((own) => {
    const known = own.flatMap(({ fidelity }) => fidelity ?? []);
    const seeds = known.flatMap(({ medians }) => medians.map(([x]) => x));
    if (seeds.length < 2) return [];
    const center = mean(seeds);
    const spread = Math.sqrt(mean(seeds.map((x) => (x - center) ** 2)));
    if (spread === 0) return [];
    const scaled = (x: number): number => (x - center) / spread;
    return known.map((one) => ({ ...one, medians: one.medians.map(([x, y]) => [scaled(x), scaled(y)] as const) }));
  });
  return runs.length === 0 ? null : datasetCorrelation(runs, resampling);
}

function overallOf(input: StudyInput, finished: readonly StudyRun[], all: Resampling): StudyReportData["overall"] {
  return input.options.flatMap((option) => {
    const runs = finished.filter(({ cell }) => cell.option === option);
    const tasks = input.tasks.filter((task) => runs.some(({ cell }) => cell.task === task));
    if (tasks.length < 2) return [];
    const resampling = all.fork(`all tasks ${option}`);
    const groups = groupRuns(input, runs);
    const against = againstReference(scoresOf(groups, lastAccuracy), input.reference, resampling);
    const versusReference = [...against].map(([name, difference]) => ({ name, difference }));
    return [{ option, tasks, versusReference, matches: matchesBetween(groups, resampling) }];
  });
}

/** Each strategy that has runs in common with the reference, against it; corrected over these alone. */
function againstReference(
  scores: ReadonlyMap<string, Scores>,
  reference: string,
  resampling: Resampling,
): ReadonlyMap<string, Difference> {
  const base = scores.get(reference) ?? new Map<string, number>();
  const found = [...scores].flatMap(([name, own]) => {
    const differences = name === reference ? [] : pairedDifferences(own, base);
    return differences.length === 0
      ? []
      : [[name, differenceOf(differences, `${name} against the reference`, resampling)] as const];
  });
  const corrected = holm(found.map(([, { p }]) => p));
  return new Map(found.map(([name, difference], i) => [name, { ...difference, pHolm: corrected[i] ?? 1 }]));
}

function matchesBetween(groups: ReadonlyMap<string, readonly Analysed[]>, resampling: Resampling): Matches {
  return {
    last: matchesOf(scoresOf(groups, lastAccuracy), resampling),
    mean: matchesOf(scoresOf(groups, meanAccuracy), resampling),
  };
}

/** One number of every run that has it, by strategy, then by task and seed. */
function scoresOf(
  groups: ReadonlyMap<string, readonly Analysed[]>,
  of: (run: Analysed) => number | undefined,
): ReadonlyMap<string, Scores> {
  return new Map(
    [...groups].map(([name, runs]) => [
      name,
      new Map(
        runs.flatMap((run) => {
          const value = of(run);
          return value === undefined ? [] : [[`${run.task} ${String(run.seed).padStart(10, "0")}`, value] as const];
        }),
      ),
    ]),
  );
}

function lastAccuracy({ points }: Analysed): number | undefined {
  return points.at(-1)?.accuracy;
}

/** Mean accuracy of the rounds after round 0; that of round 0 for a run without others. */
function meanAccuracy({ points }: Analysed): number | undefined {
  const trained = points.filter(({ round }) => round > 0);
  return trained.length === 0 ? points[0]?.accuracy : mean(trained.map(({ accuracy }) => accuracy));
}

/** Mean of the values that exist, with its bootstrap interval; null without any. */
function estimateOf(values: readonly (number | undefined)[], resampling: Resampling): Estimate | null {
  const known = values.filter((value) => value !== undefined);
  if (known.length === 0) return null;
  const interval = resampling.interval(known, mean);
  return { value: mean(known), low: interval?.low ?? null, high: interval?.high ?? null, n: known.length };
}
