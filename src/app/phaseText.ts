/** @file The six phases in words: short names for the strip, one sentence with numbers for the line below it. */
import type { Phase } from "../loop/records.ts";
import { formatCount, formatNats, formatPercent } from "./format.ts";
import type { LaneState } from "./laneState.ts";
import { acceptedPairs } from "./laneState.ts";

/** Name on the strip. */
export const PHASE_LABELS: Readonly<Record<Phase, string>> = {
  score: "Score",
  select: "Select",
  teach: "Ask teacher",
  verify: "Verify",
  train: "Train",
  evaluate: "Evaluate",
};

/** The phases in their order. */
export const PHASES = Object.keys(PHASE_LABELS) as readonly Phase[];

/** What each phase does, for a reader who has not started a run. */
export const PHASE_HELP: Readonly<Record<Phase, string>> = {
  score: "the student answers every seed question, and its loss on each is measured",
  select: "the query strategy picks some of the seeds",
  teach: "for each picked seed, the teacher writes a new question like it and works out the answer",
  verify: "each new pair is solved independently; wrong ones are thrown away",
  train: "the student is trained on the accepted pairs: forward and backward, in this tab",
  evaluate: "the student answers held-out questions that nothing was trained on",
};

/** How a phase of the strip stands; `here`: just ended, the next one not begun. */
export type PhaseMark = "waiting" | "active" | "here" | "done";

/** Marks of the six phases in order. */
export function phaseMarks(lane: LaneState): readonly PhaseMark[] {
  const { phase } = lane;
  if (phase === null) return PHASES.map(() => "waiting");
  const current = PHASES.indexOf(phase.phase);
  return PHASES.map((_, index) => {
    if (index === current) return phase.state === "end" ? "here" : "active";
    // Round 0 only evaluates the untouched student: what stands before was not done.
    return index < current && lane.round > 0 ? "done" : "waiting";
  });
}

/** The phase that comes next, where one has ended; undefined before, within a phase, and after the last. */
export function nextPhase({ run, phase, round, done }: LaneState): Phase | undefined {
  if (run === null || done || phase?.state !== "end") return undefined;
  if (phase.phase !== "evaluate") return PHASES[PHASES.indexOf(phase.phase) + 1];
  return round < run.config.rounds ? PHASES[0] : undefined;
}

/** Share of the current phase that is done, 0…1; undefined where its size is unknown. */
export function phaseFraction(lane: LaneState): number | undefined {
  const { phase } = lane;
  if (phase === null) return undefined;
  if (phase.state === "end") return 1;
  // Training tells its progress by its steps.
  const training = phase.phase === "train" ? lane.losses.at(-1) : undefined;
  if (training !== undefined && training.round === lane.round && training.totalSteps > 0)
    return Math.min(1, training.lastStep / training.totalSteps);
  return phase.total > 0 ? Math.min(1, Math.max(0, phase.done / phase.total)) : undefined;
}

/** One sentence: what the lane is doing, with its numbers. */
export function phaseSentence(lane: LaneState): string {
  const { run, phase, round } = lane;
  if (run === null) return "Waiting for Start: the student is untouched.";
  if (lane.done)
    return `Finished: ${formatCount(run.config.rounds, "round")}, ${formatCount(acceptedPairs(lane), "accepted pair")}.`;
  if (phase === null) return "Getting ready.";
  const counted = phase.total > 0 ? `${phase.done} of ${phase.total}` : "";
  const so = counted === "" ? "" : `: ${counted}`;
  const { config } = run;
  switch (phase.phase) {
    case "score": {
      const answered = lane.poolRound === round ? lane.pool.filter(({ correct }) => correct !== undefined) : [];
      if (phase.state === "end" && answered.length > 0) {
        const right = answered.filter(({ correct }) => correct).length;
        const losses = answered.flatMap(({ ownLoss }) => ownLoss ?? []);
        const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
        const unsure = losses.length === 0 ? "" : `; mean loss of its answers ${formatNats(mean)} nats per token`;
        return `The student answered ${right} of ${formatCount(answered.length, "seed question")} right${unsure}.`;
      }
      // Its total counts passes over the pool (answers, then losses): a share says more than the number.
      return `The student answers the ${formatCount(config.task.pool, "seed question")} and its loss on each is measured${phase.total > 0 ? `: ${Math.round((100 * phase.done) / phase.total)} %` : ""}.`;
    }
    case "select":
      return lane.picksRound === round && lane.picks.size > 0
        ? `${config.strategy.name} picked ${lane.picks.size} of ${config.task.pool} seeds.`
        : `${config.strategy.name} picks ${config.querySize} of ${config.task.pool} seeds.`;
    case "teach":
      return config.pairs === "seeds"
        ? `The picked seeds' own pairs are taken: nobody is asked${so}.`
        : phase.state === "end"
          ? `The teacher wrote and answered ${formatCount(phase.total, "new question")} like the picked seeds.`
          : `The teacher writes a new question like each picked seed and answers it${so}.`;
    case "verify": {
      const { accepted, rejected } = lane.tally.round === round ? lane.tally : { accepted: 0, rejected: 0 };
      const verdicts = accepted + rejected > 0 ? `; ${accepted} accepted, ${rejected} rejected` : "";
      return config.pairs === "seeds"
        ? `Real pairs are taken as they are, each once${so}${verdicts}.`
        : `${config.verification === "off" ? "Pairs are not checked, only doubles turned away" : "Each new pair is solved independently"}${so}${verdicts}.`;
    }
    case "train": {
      const losses = lane.losses.at(-1);
      const pairs = formatCount(acceptedPairs(lane), "accepted pair");
      if (losses === undefined || losses.round !== round) return `The student trains on ${pairs}${so}.`;
      if (phase.state === "end")
        return `The student trained on ${pairs}: ${formatCount(losses.totalSteps, "step")}, last loss ${formatNats(losses.lastLoss)} nats per token.`;
      return `The student trains on ${pairs}: step ${losses.lastStep} of ${losses.totalSteps}, loss ${formatNats(losses.lastLoss)} nats per token.`;
    }
    case "evaluate": {
      const found = lane.rounds.find((summary) => summary.round === round)?.evaluation;
      if (phase.state === "end" && found !== undefined)
        return `The ${round === 0 ? "untouched " : ""}student answered ${found.correct} of ${formatCount(found.n, "held-out question")} right: ${formatPercent(found.accuracy)}.`;
      return round === 0
        ? `The untouched student answers the held-out questions${so}.`
        : `The student answers the held-out questions${so}.`;
    }
    default:
      return phase.phase satisfies never;
  }
}

/** "Round 2 of 5", "Round 0 of 5: before any training". */
export function roundLabel(lane: LaneState): string {
  if (lane.run === null) return "";
  // A finished run that is shown again stands before a round that it does not have.
  const label = `Round ${Math.min(lane.round, lane.run.config.rounds)} of ${lane.run.config.rounds}`;
  return lane.round === 0 ? `${label}: before training` : label;
}
