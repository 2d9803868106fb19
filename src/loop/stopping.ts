/** @file When a run ends: after its last round, at a ceiling, at an accuracy, or when nothing is left to learn from. */
import { acceptedPairs, unpickedSeeds } from "./candidates.ts";
import type { ExperimentConfig } from "./config.ts";
import type { Evaluation, StopReason } from "./records.ts";
import type { RunState } from "./runState.ts";

/** Whether the accuracy decides when a run ends. */
export function stopsEarly({ target, plateau }: ExperimentConfig["stop"]): boolean {
  return target !== undefined || plateau !== undefined;
}

/** Why no round follows `round`, null when one does. `accuracies`: of the questions that decide, one a round from round 0 on. */
export function stopReasonAfter(run: RunState, round: number, accuracies: readonly number[]): StopReason | null {
  const { config } = run;
  const { target } = config.stop;
  if (target !== undefined && (accuracies.at(-1) ?? 0) >= target) return "target";
  const { examples } = config.budget;
  if (run.budgetRound !== undefined || (examples !== undefined && acceptedPairs(run) >= examples)) return "budget";
  if (config.pairs === "seeds" && unpickedSeeds(run) === 0) return "used-up";
  if (hasPlateau(config, accuracies)) return "plateau";
  return round >= config.rounds ? "rounds" : null;
}

/** The accuracy that stopping looks at. */
export function decidingAccuracy({
  evaluation,
  validation = evaluation,
}: {
  readonly evaluation: Evaluation;
  readonly validation?: Evaluation;
}): number {
  return validation.accuracy;
}

/** None of the last `plateau` rounds beat the best before them by more than `minGain`. */
function hasPlateau({ stop: { plateau, minGain } }: ExperimentConfig, accuracies: readonly number[]): boolean {
  if (plateau === undefined || accuracies.length <= plateau) return false;
  const best = Math.max(...accuracies.slice(0, -plateau));
  return accuracies.slice(-plateau).every((accuracy) => accuracy <= best + minGain);
}
