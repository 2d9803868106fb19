/**
 * @file The accepted synthetic pairs of a run as a data set for a Hugging Face hub: JSON
 * Lines in TRL's prompt-completion format and a card that says how they were made.
 */
import type { Task } from "../tasks/types.ts";
import { applyInterventions } from "./interventions.ts";
import type { StoredRun } from "./runStore.ts";

/** Upper bounds of the hub's size categories. */
const SIZE_CATEGORIES: readonly (readonly [number, string])[] = [
  [1_000, "n<1K"],
  [10_000, "1K<n<10K"],
  [100_000, "10K<n<100K"],
  [Infinity, "n>100K"],
];

/** Files of the data set by path. Rows are in the order in which they were made, as people left them. */
export function datasetFiles(run: StoredRun, task: Task): ReadonlyMap<string, string> {
  const decided = new Map(run.interventions.map((intervention) => [intervention.exampleId, intervention]));
  const pairs = applyInterventions(run.examples, run.interventions).filter(({ accepted }) => accepted);
  const lines = pairs.map((pair) => {
    const action = decided.get(pair.id)?.action;
    return JSON.stringify({
      id: pair.id,
      prompt: task.prompt(pair.question),
      completion: task.completion(pair),
      question: pair.question,
      answer: pair.answer,
      seedId: pair.seedId,
      operation: pair.operation,
      round: pair.round,
      ...(pair.level === undefined ? {} : { level: pair.level }),
      ...(pair.seedScore === undefined ? {} : { seedScore: pair.seedScore }),
      verification: pair.verification,
      edited: action === "edit",
    });
  });
  return new Map([
    ["data/train.jsonl", lines.map((line) => `${line}\n`).join("")],
    ["README.md", card(run, pairs.length)],
  ]);
}

function card(run: StoredRun, rows: number): string {
  const { manifest, examples, interventions } = run;
  const { config } = manifest;
  const category = SIZE_CATEGORIES.find(([limit]) => rows < limit)?.[1] ?? "n>100K";
  const model = config.teacher.chat?.model;
  const real = config.pairs === "seeds";
  const teacher =
    config.teacher.name === "solver"
      ? "the task's own exact solver (no language model)"
      : real
        ? "none: the picked seeds' own pairs"
        : `${oneLine(config.teacher.name)}${model === undefined ? "" : `, model ${oneLine(model)}`}`;
  const edits = interventions.filter(({ action }) => action === "edit").length;
  const rejections = interventions.filter(({ action }) => action === "reject").length;
  return `---
language:
  - en
task_categories:
  - text-generation
size_categories:
  - ${category}
tags:
${real ? "" : "  - synthetic\n"}  - active-learning
  - tutelage
configs:
  - config_name: default
    data_files:
      - split: train
        path: data/train.jsonl
---

# ${real ? "Picked" : "Synthetic"} pairs for a student that learns ${oneLine(config.task.name)}

${rows} question-answer pairs, ${real ? "picked" : "written"} for one small language model in a closed loop (Algorithm 1 of
[arXiv:2512.00884](https://arxiv.org/abs/2512.00884)${real ? ", without its teacher" : ""}): in each round the student is scored on a pool of seed
questions, a query strategy picks seeds, ${real ? "and the student is trained on the picked seeds' own pairs." : "the teacher writes a new question like each and a worked answer,\npairs are verified, and the student is trained on them."}

| | |
|---|---|
| task | ${oneLine(config.task.name)} |
| strategy | ${oneLine(config.strategy.name)} |
| teacher | ${teacher} |
| student | ${oneLine(manifest.student.name)}, ${manifest.student.parameters} parameters |
| verification | ${real ? "none: taken as they are" : config.verification === "off" ? "off" : "the task's own check of question and answer"} |
| rounds finished | ${Math.max(0, run.rounds.length - 1)} of ${config.rounds} |
| pairs made, accepted | ${examples.length}, ${rows} |
| changed by hand | ${edits} edits, ${rejections} rejections |
| seed of the run | ${config.seed} |
| made | ${manifest.createdAt}, Tutelage ${oneLine(manifest.version)} |

## Fields

\`prompt\` and \`completion\` are the texts that the student was trained on; \`question\` and \`answer\` are the
same without the task's frame. \`seedId\` names the seed the question was made from, \`operation\` how,
\`seedScore\` what the strategy scored the seed with, \`edited\` whether a person changed the pair.

## Limits

${
  real
    ? "The pairs are those of the run's pool, picked for this student; validation and test questions are never among them.\nThe terms of the data they come from hold for them."
    : "The questions are machine-made from few templates and seeds, and picked for this student. Pool, validation and\ntest questions of the run are never among them. The terms of the teacher's service may restrict what the pairs\nmay be used for."
}
`;
}

/** Names come from settings: a line break or a bar would break the table. */
function oneLine(text: string): string {
  return text.replace(/[\s|]+/g, " ").trim();
}
