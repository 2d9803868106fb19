/** @file The model card of a task's built-in student, its accuracy measured when it is written. */
import { invariant } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { openStudent } from "../../src/student/student.ts";
import { answerTokens, createTask } from "../../src/tasks/registry.ts";
import { decide } from "../../src/tasks/prontoqa/logic.ts";
import { readProblem } from "../../src/tasks/prontoqa/sentences.ts";
import type { Question } from "../../src/tasks/types.ts";
import { accuracyTable } from "./accuracyTable.ts";

/** One stage as it was run, kept beside the weights for the card. */
export interface TaskStageLog {
  readonly stage: string;
  readonly about: string;
  readonly rows: number;
  readonly steps: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly seed: number;
  readonly minutes: number;
  readonly engine: string;
  readonly finalLoss: number;
}

const CARD_QUESTIONS = 200;
const CARD_SEED = 20_001;
/** What to break accuracy down by, besides the level. */
const CARD_GROUPS: Readonly<Record<string, { readonly by: string; readonly of: (question: Question) => string }>> = {
  algebra: { by: "topic", of: ({ tags }) => tags?.["topic"] ?? "" },
  prontoqa: {
    by: "number of rules that lead away from the proof (about a kind on its way, to somewhere else)",
    of: turnings,
  },
};
/** What a reader must know of a task's accuracies. */
const CARD_NOTES: Readonly<Record<string, string>> = { prontoqa: " Guessing is right half of the time in this task." };

/** Tasks whose final answers can be guessed, so that only the whole worked answer tells easy from hard. */
const CARD_STEPS: readonly string[] = ["prontoqa"];

/** What else a reader must know of a task's tokenizer. */
const CARD_TOKENS: Readonly<Record<string, string>> = {
  prontoqa: ' in which what somebody is or is not ("is not sour", "are wumpuses") is one token',
};

function turnings({ question }: Question): string {
  const problem = readProblem(question);
  const decision = problem === undefined ? undefined : decide(problem);
  invariant(problem !== undefined && decision?.decided === true, `a question that can be decided: ${question}`);
  const kinds = new Set(decision.steps.map(({ rule }) => rule.when));
  return String(problem.rules.filter(({ when }) => kinds.has(when)).length - decision.steps.length);
}

function startOf(from: string | undefined): string {
  return from === undefined
    ? "random weights in which one attention head looks one token back and another finds what came behind the present token before, and in which tokens of several words begin as the sum of the words (`scripts/builtinStudent/inductionStart.ts`)"
    : `the weights of the built-in student of the task "${from}" (embeddings by the text of their tokens)`;
}

/** `README.md` of the student in `directory`. Accuracy is greedy, on validation questions of the task's default mixture. */
export async function taskStudentCard(
  engine: Engine,
  name: string,
  directory: string,
  stages: readonly TaskStageLog[],
  from: string | undefined,
): Promise<string> {
  const task = createTask(name);
  const student = await openStudent(engine, { source: directorySource(directory) });
  try {
    const { validation } = task.splits({ pool: 0, validation: CARD_QUESTIONS, test: 0 }, new Rng(CARD_SEED));
    const table = (
      label: (question: Question) => string,
      isRight?: (question: Question, answer: string) => boolean,
    ): Promise<string> => accuracyTable(student, task, validation, label, answerTokens(name), isRight);
    const group = CARD_GROUPS[name];
    const byGroup = group === undefined ? "" : `\nBy ${group.by}:\n\n${await table(group.of)}\n`;
    const bySteps = CARD_STEPS.includes(name)
      ? `\nWorked answers of which every step is right, by difficulty:\n\n${await table(
          ({ level }) => level,
          ({ question }, answer) => task.verify({ question, answer }).correct,
        )}\n`
      : "";
    const { vocabSize } = student.model.decoder;
    const rows = stages.map(
      (log) =>
        `| ${log.stage}: ${log.about} | ${log.rows.toLocaleString("en")} | ${log.steps.toLocaleString("en")} of ${log.batchSize} | ${log.learningRate} | ${log.finalLoss.toFixed(3)} | ${log.minutes.toFixed(0)} on ${log.engine} |`,
    );
    return `---
license: mit
language: en
pipeline_tag: text-generation
---
# The built-in student of the task ${name}

A Llama of ${student.parameters.total.toLocaleString("en")} parameters (4 layers, hidden size 128, 4 heads, 2 key-value heads, vocabulary ${vocabSize}, context 256, tied embeddings, float16) that answers questions of the task "${name}" step by step. It is made to be better at easy questions than at hard ones, so that there is something to learn and to choose from; it knows nothing else.

- **Data:** generated questions with worked answers. A question's canonical form decides where it may appear, so no question of any split, nor any that the built-in teacher writes, is among them. The tokenizer is a byte-level BPE with single digits${CARD_TOKENS[name] ?? ""}.
- **Training:** from ${startOf(from)}, loss on the answers only, AdamW with weight decay 0.1 and clipping at 1, a cosine per stage, seed ${stages[0]?.seed}.
- **Made by:** \`npm run build:task-student -- --task ${name}\`, with this project's own trainer. Minutes are of one low-priority thread on a busy two-core machine.

| stage | rows | steps | learning rate | final loss, nats per token | minutes |
|---|---|---|---|---|---|
${rows.join("\n")}

## What it can do

Greedy answers to ${CARD_QUESTIONS} validation questions of the task's default mixture, exact final answers, 95 % Wilson intervals.${CARD_NOTES[name] ?? ""} By difficulty:

${await table(({ level }) => level)}
${bySteps}${byGroup}`;
  } finally {
    await student.dispose();
  }
}
