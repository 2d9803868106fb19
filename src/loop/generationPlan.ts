/**
 * @file Generation plan: which new pairs a round asks for, from its picks. Each picked
 * candidate gives `perSeed` new questions (Lion: hard and easy ones equally many), or its
 * own pair. Not here: asking for them (`phases/teach.ts`).
 */
import type { Rng } from "../core/rng.ts";
import type { Operation } from "../teacher/types.ts";
import { pairsLeft } from "./candidates.ts";
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
    Array.from({ length: counts[i] ?? 0 }, (_, repetition): PlannedPair => {
      const id = `r${round}-${picked.seed.id}-${repetition}`;
      const rng = phaseRng(run, round, "teach").fork(id);
      const operation = config.pairs === "seeds" ? "copy" : rng.fork("operation").pick(config.teacher.operations);
      return { id, picked, operation, rng };
    }),
  );
}

/** New questions for each pick. */
function countsOf({ config, strategy }: RunState, picks: readonly PickedSeed[]): readonly number[] {
  const { balance, perSeed } = config;
  const { picker } = strategy;
  const isHard = ({ score }: PickedSeed): boolean =>
    picker.kind === "balanced" && score !== null && score >= picker.threshold;
  const hard = picks.filter(isHard).length;
  const easy = picks.length - hard;
  if (!balance || picker.kind !== "balanced" || hard === 0 || easy === 0) return picks.map(() => perSeed);
  const all = picks.length * perSeed;
  const forHard = Math.min(Math.max(Math.round(picker.share * all), 0), all);
  const share = { hard: spread(forHard, hard), easy: spread(all - forHard, easy) };
  const next = { hard: 0, easy: 0 };
  return picks.map((pick) => {
    const kind = isHard(pick) ? "hard" : "easy";
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
