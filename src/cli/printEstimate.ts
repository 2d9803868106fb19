/** @file `--estimate`: what a run would ask of its teacher, printed in place of the run. */
import { badInput } from "../core/errors.ts";
import type { ExperimentConfig } from "../loop/config.ts";
import { estimateRun } from "../loop/estimate.ts";
import type { Task } from "../tasks/types.ts";
import type { Output } from "./output.ts";

/** Prints the estimate. @throws BadInputError for a teacher that is asked nothing over a network. */
export function printEstimate(
  config: ExperimentConfig,
  task: Task,
  requestSeconds: number | undefined,
  output: Output,
): void {
  const estimate =
    estimateRun(config, task, { requestSeconds }) ??
    badInput("--estimate", "a chat teacher", `the teacher "${config.teacher.name}", which costs nothing`);
  const { requests, promptTokens, completionTokens, costUsd, minutes, ceiling, atMost } = estimate;
  const money = costUsd === null ? "no price given (--teacher-price)" : `about $${costUsd.toFixed(4)}`;
  output.record(
    { type: "estimate", ...estimate },
    `${requests} requests, about ${promptTokens} prompt and ${completionTokens} completion tokens, ${money}, about ${minutes.toFixed(1)} minutes at ${estimate.requestSeconds.toFixed(1)} s a request${ceiling === undefined ? "" : `; the ceiling of ${ceiling} ends the run before`}`,
  );
  if (atMost !== undefined) {
    const most = atMost.costUsd === null ? "" : `, $${atMost.costUsd.toFixed(4)}`;
    output.note(
      `Up to ${atMost.requests - requests} more requests for rejected pairs that are asked for again: at most ${atMost.requests} in all, about ${atMost.promptTokens + atMost.completionTokens} tokens${most}, ${atMost.minutes.toFixed(1)} minutes, were every one rejected${atMost.ceiling === undefined ? "" : `; the ceiling of ${atMost.ceiling} ends the run before that`}. A ceiling is hard: refills count towards it.`,
    );
  }
  output.note("Retries come on top, replies from the cache off it; tokens are a quarter of the characters.");
}
