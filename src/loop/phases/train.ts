/**
 * @file Phase "train": finetunes the student on the round's training set, from the base
 * weights or from where it stands. Ends with a checkpoint; a round whose checkpoint is stored is not
 * trained again.
 */
import type { StepRecord, TrainOptions } from "../../student/types.ts";
import type { LoopRecord } from "../records.ts";
import { RUN_SCHEMA_VERSION } from "../runStore.ts";
import { phaseRecord, phaseRng } from "../runState.ts";
import type { RunState } from "../runState.ts";
import { tooLongEdits, trainingRows } from "../trainingSet.ts";

/** The round's optimizer steps. */
export async function* train(run: RunState, round: number): AsyncGenerator<LoopRecord, readonly StepRecord[], void> {
  const { config, student } = run;
  const tooLong = tooLongEdits(run, round);
  if (tooLong.length > 0)
    yield {
      type: "warning",
      code: "edit-too-long",
      message: `round ${round}: ${tooLong.length} pairs edited by hand are longer than the student's context and are left out; the first: ${tooLong[0] ?? ""}`,
    };
  run.interventions.begin(round);
  const rows = trainingRows(run, round);
  const { training } = config;
  // As transformers' Trainer counts: the last micro-batches of an epoch make a step of their own.
  const totalSteps =
    rows.length === 0
      ? 0
      : Math.ceil(training.epochs * Math.ceil(Math.ceil(rows.length / training.batchSize) / training.gradAccum));
  yield phaseRecord(round, "train", "start", 0, totalSteps);

  const steps: StepRecord[] = [];
  if (run.trainedAhead?.round === round) {
    for (const step of run.trainedAhead.steps) {
      steps.push(step);
      yield { type: "step", round, totalSteps, ...step };
    }
  } else {
    if (config.restart) await student.reset();
    if (rows.length > 0) {
      for await (const step of student.train(rows, trainOptions(run, round))) {
        steps.push(step);
        yield { type: "step", round, totalSteps, ...step };
      }
    }
    const exampleIds = rows.map((row) => row.id ?? "");
    await run.store.saveCheckpoint({
      schemaVersion: RUN_SCHEMA_VERSION,
      round,
      exampleIds,
      steps,
      parameters: await student.snapshot(),
    });
  }
  yield phaseRecord(round, "train", "end", steps.length, totalSteps);
  return steps;
}

/** Mean loss over all tokens of the steps in nats, null without steps. */
export function meanLossOf(steps: readonly StepRecord[]): number | null {
  const tokens = steps.reduce((sum, step) => sum + step.tokens, 0);
  return tokens === 0 ? null : steps.reduce((sum, step) => sum + step.loss * step.tokens, 0) / tokens;
}

function trainOptions(run: RunState, round: number): TrainOptions {
  const { method: _method, ...settings } = run.config.training;
  const { batchSize, gradAccum, gradientCheckpointing } = run.memory;
  const seed = phaseRng(run, round, "train").integer(0, 0x7fffffff);
  return {
    ...settings,
    batchSize,
    gradAccum,
    ...(gradientCheckpointing === "on" ? { gradientCheckpointing: true } : {}),
    shuffle: true,
    seed,
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  };
}
