/**
 * @file Generation plan: which new pairs a round asks for, from its picks. Each picked
 * candidate gives `perSeed` new questions (Lion: hard and easy ones equally many, by operations of
 * their own), or its own pair; a rejected question may be asked for again. Not here: asking for them (`phases/teach.ts`).
 */
import { Rng } from "../core/rng.ts";
import { createStrategy } from "../selection/registry.ts";
import type { Question } from "../tasks/types.ts";
import type { Operation } from "../teacher/types.ts";
import { pairsLeft } from "./candidates.ts";
import type { ExperimentConfig } from "./config.ts";
import type { PickedSeed } from "./phases/select.ts";
import { phaseRng } from "./runState.ts";
import type { RunState } from "./runState.ts";

/** A pair to be asked for. `rng` is its own stream, so that neither its neighbours nor a resume change it. */
export interface PlannedPair {
  readonly id: string;
  readonly picked: PickedSeed;
  readonly operation: Operation | "copy";
  readonly rng: Rng;
}

/** The round's pairs, those of one pick together, in the order of the picks; never more than the budget still has room for. */
export function planPairs(run: RunState, round: number, picks: readonly PickedSeed[]): readonly PlannedPair[] {
  const { config } = run;
  const counts = config.pairs === "seeds" ? picks.map(() => 1) : withinBudget(countsOf(run, picks), pairsLeft(run));
  return picks.flatMap((picked, i) =>
    Array.from({ length: counts[i] ?? 0 }, (_, repetition): PlannedPair =>
      plannedPair(run, round, `r${round}-${picked.seed.id}-${repetition}`, picked),
    ),
  );
}

/** What is asked in place of the rejected pair `root`, for the `refill`-th time. */
export function planRefill(
  run: RunState,
  round: number,
  root: Pick<PlannedPair, "id" | "picked">,
  refill: number,
): PlannedPair {
  return plannedPair(run, round, `${root.id}-refill${refill}`, root.picked);
}

/** The first pair of `seed` in the first round that asks, were it picked: as an easy and as a hard one where that makes a difference. */
export function planFirst(config: ExperimentConfig, seed: Question): readonly PlannedPair[] {
  const { name, picker, ...options } = config.strategy;
  const run = { config, strategy: createStrategy(name, picker, options), rng: new Rng(config.seed) };
  const round = config.warmUp === "seeds" ? 2 : 1;
  const scores = config.teacher.easyOperations === undefined ? [null] : [null, Infinity];
  return scores.map((score) => plannedPair(run, round, `r${round}-${seed.id}-0`, { seed, score, rank: null }));
}

/** What a planned pair depends on. */
type Planning = Pick<RunState, "config" | "strategy" | "rng">;

function plannedPair(run: Planning, round: number, id: string, picked: PickedSeed): PlannedPair {
  const { pairs, teacher } = run.config;
  const rng = phaseRng(run, round, "teach").fork(id);
  const operations =
    isHard(run, picked) === false ? (teacher.easyOperations ?? teacher.operations) : teacher.operations;
  return { id, picked, operation: pairs === "seeds" ? "copy" : rng.fork("operation").pick(operations), rng };
}

/** Whether the strategy calls a pick hard; undefined for strategies that tell no kinds. */
function isHard({ strategy: { picker } }: Planning, { score }: PickedSeed): boolean | undefined {
  return picker.kind === "balanced" ? score !== null && score >= picker.threshold : undefined;
}

/** New questions for each pick. */
function countsOf(run: RunState, picks: readonly PickedSeed[]): readonly number[] {
  const { balance, perSeed } = run.config;
  const { picker } = run.strategy;
  const hard = picks.filter((pick) => isHard(run, pick)).length;
  const easy = picks.length - hard;
  if (!balance || picker.kind !== "balanced" || hard === 0 || easy === 0) return picks.map(() => perSeed);
  const all = picks.length * perSeed;
  const forHard = Math.min(Math.max(Math.round(picker.share * all), 0), all);
  const share = { hard: spread(forHard, hard), easy: spread(all - forHard, easy) };
  const next = { hard: 0, easy: 0 };
  return picks.map((pick) => {
    const kind = isHard(run, pick) === true ? "hard" : "easy";
    return share[kind][next[kind]++] ?? 0;
  });
}

/** `total` over `places`, as evenly as it goes, the first getting what is left over. */
function spread(total: number, places: number): readonly number[] {
  const [each, rest] = [Math.floor(total / places), total % places];
  return Array.from({ length: places }, (_, i) => each + (i < rest ? 1 : 0));
}

/** At most `room` in all: every pick its first question before any gets its second. */
function withinBudget(counts: readonly number[], room: number): readonly number[] {
  const most = Math.max(0, ...counts);
  const kept = counts.map(() => 0);
  let left = room;
  for (let turn = 0; turn < most; turn++) {
    for (const [i, count] of counts.entries()) {
      if (turn >= count || left <= 0) continue;
      kept[i] = (kept[i] ?? 0) + 1;
      left--;
    }
  }
  return kept;
}
