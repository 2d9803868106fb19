/** @file Phase "evaluate": the student answers the held-out questions greedily; the task's checker decides. */
import { invariant } from "../../core/errors.ts";
import { wilsonInterval } from "../../core/statistics.ts";
import type { Evaluation, LoopRecord } from "../records.ts";
import { phaseRecord } from "../runState.ts";
import type { RunState } from "../runState.ts";
import { generateInBatches } from "./batches.ts";

/** Accuracy on the configured split, with its interval and by level. */
export async function* evaluate(run: RunState, round: number): AsyncGenerator<LoopRecord, Evaluation, void> {
  const split = run.config.task.evaluateOn;
  const questions = run.splits[split];
  yield phaseRecord(round, "evaluate", "start", 0, questions.length);
  const answers = generateInBatches(
    run,
    questions.map((question) => run.task.prompt(question.question)),
  );
  let next = await answers.next();
  for (; next.done !== true; next = await answers.next())
    yield phaseRecord(round, "evaluate", "progress", next.value, questions.length);
  const generations = next.value;

  const byLevel = new Map<string, { n: number; correct: number }>();
  let correct = 0;
  questions.forEach((question, i) => {
    const generation = generations[i];
    invariant(generation !== undefined, "one generation per question");
    const right = run.task.check(question, generation.completion).correct ? 1 : 0;
    const level = byLevel.get(question.level) ?? { n: 0, correct: 0 };
    byLevel.set(question.level, { n: level.n + 1, correct: level.correct + right });
    correct += right;
  });
  const n = questions.length;
  const easyToHard = [...byLevel].sort(([a], [b]) => run.task.levels.indexOf(a) - run.task.levels.indexOf(b));
  yield phaseRecord(round, "evaluate", "end", n, n);
  return {
    split,
    n,
    correct,
    accuracy: correct / n,
    ...wilsonInterval(correct, n),
    byLevel: Object.fromEntries(easyToHard),
  };
}
