/** @file A table of a student's accuracy for model cards. */
import { wilsonInterval } from "../../src/core/statistics.ts";
import type { LanguageModel } from "../../src/student/student.ts";
import type { Question, Task } from "../../src/tasks/types.ts";

/** Markdown rows of right answers (by default exact final ones), greedy, one per label and one for all, with 95 % Wilson intervals. */
export async function accuracyTable(
  student: LanguageModel,
  task: Task,
  questions: readonly Question[],
  label: (question: Question) => string,
  maxNewTokens: number,
  isRight = (question: Question, answer: string): boolean => task.check(question, answer).correct,
): Promise<string> {
  const generations = await student.generate(
    questions.map((question) => task.prompt(question.question)),
    { maxNewTokens },
  );
  const groups = new Map<string, { n: number; correct: number }>();
  questions.forEach((question, i) => {
    const correct = isRight(question, generations[i]?.completion ?? "");
    for (const key of [label(question), "all"]) {
      const group = groups.get(key) ?? { n: 0, correct: 0 };
      groups.set(key, { n: group.n + 1, correct: group.correct + (correct ? 1 : 0) });
    }
  });
  const rows = [...groups].sort(([a], [b]) => Number(a === "all") - Number(b === "all") || a.localeCompare(b));
  const lines = rows.map(([key, { n, correct }]) => {
    const { low, high } = wilsonInterval(correct, n);
    return `| ${key} | ${correct} of ${n} | ${((100 * correct) / n).toFixed(1)} % | ${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)} % |`;
  });
  return ["| | correct | accuracy | 95 % interval |", "|---|---|---|---|", ...lines].join("\n");
}
