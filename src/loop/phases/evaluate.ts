/** @file Phase "evaluate": the student answers the held-out questions greedily; the task's checker decides. */
import { invariant } from "../../core/errors.ts";
import { wilsonInterval } from "../../core/statistics.ts";
import type { Generation } from "../../student/types.ts";
import type { Evaluation, LoopRecord, Tally } from "../records.ts";
import { phaseRecord } from "../runState.ts";
import type { RunState } from "../runState.ts";
import { stopsEarly } from "../stopping.ts";
import { generateInBatches } from "./batches.ts";

/** What the round's student can do. */
export interface Evaluated {
  readonly evaluation: Evaluation;
  /** Where the run stops by accuracy and the curve shows other questions. */
  readonly validation?: Evaluation;
}

/** Accuracy on the split that the curve shows, and on the validation questions where they decide when the run ends. */
export async function* evaluate(run: RunState, round: number): AsyncGenerator<LoopRecord, Evaluated, void> {
  const { task, stop } = run.config;
  const splits = [task.evaluateOn, ...(stopsEarly(stop) && task.evaluateOn === "test" ? ["validation" as const] : [])];
  const total = splits.reduce((sum, split) => sum + run.splits[split].length, 0);
  yield phaseRecord(round, "evaluate", "start", 0, total);
  const results: Evaluation[] = [];
  let done = 0;
  for (const split of splits) {
    const questions = run.splits[split];
    const answers = generateInBatches(
      run,
      questions.map((question) => run.task.prompt(question.question)),
    );
    let next = await answers.next();
    for (; next.done !== true; next = await answers.next())
      yield phaseRecord(round, "evaluate", "progress", done + next.value, total);
    done += questions.length;
    results.push(evaluationOf(run, split, next.value));
  }
  yield phaseRecord(round, "evaluate", "end", total, total);
  const [evaluation, validation] = results;
  invariant(evaluation !== undefined, "a round is evaluated");
  return { evaluation, ...(validation === undefined ? {} : { validation }) };
}

function evaluationOf(run: RunState, split: Evaluation["split"], generations: readonly Generation[]): Evaluation {
  const questions = run.splits[split];
  const byLevel = new Map<string, Tally>();
  const byTag = new Map<string, Map<string, Tally>>();
  let correct = 0;
  questions.forEach((question, i) => {
    const generation = generations[i];
    invariant(generation !== undefined, "one generation per question");
    const right = run.task.check(question, generation.completion).correct ? 1 : 0;
    count(byLevel, question.level, right);
    for (const [tag, value] of Object.entries(question.tags ?? {})) {
      const values = byTag.get(tag) ?? new Map<string, Tally>();
      byTag.set(tag, values);
      count(values, value, right);
    }
    correct += right;
  });
  const n = questions.length;
  const easyToHard = [...byLevel].sort(([a], [b]) => run.task.levels.indexOf(a) - run.task.levels.indexOf(b));
  return {
    split,
    n,
    correct,
    accuracy: correct / n,
    ...wilsonInterval(correct, n),
    byLevel: Object.fromEntries(easyToHard),
    byTag: inOrder(byTag, (values) => inOrder(values, (tally) => tally)),
  };
}

function count(tallies: Map<string, Tally>, key: string, right: number): void {
  const { n, correct } = tallies.get(key) ?? { n: 0, correct: 0 };
  tallies.set(key, { n: n + 1, correct: correct + right });
}

/** A record with its keys in alphabetical order, whichever came first. */
function inOrder<V, R>(entries: ReadonlyMap<string, V>, valueOf: (value: V) => R): Record<string, R> {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([key, value]) => [key, valueOf(value)]));
}
