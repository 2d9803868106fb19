/**
 * @file `npm run build:task-student -- --task NAME --out DIR`: pretrains a small student on the
 * pretraining slice of one task (algebra, prontoqa, game24), with a tokenizer of its own, and writes it
 * with a model card. Same architecture and trainer as the built-in student; seeded alike.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { badInput } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { memorySource } from "../../src/formats/fileSource.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import { openStudent } from "../../src/student/student.ts";
import * as algebra from "../../src/tasks/algebra/algebra.ts";
import * as game24 from "../../src/tasks/game24/game24.ts";
import * as prontoqa from "../../src/tasks/prontoqa/prontoqa.ts";
import { answerTokens, createTask } from "../../src/tasks/registry.ts";
import type { Question } from "../../src/tasks/types.ts";
import { accuracyTable } from "./accuracyTable.ts";
import { newStudent, PRETRAIN_DEFAULTS, runStage } from "./pretrain.ts";

interface Recipe {
  readonly slice: (rng: Rng, n: number) => readonly Question[];
  /** Questions pretrained on; the slice of game24 holds no more. */
  readonly corpus: number;
  readonly vocabSize: number;
  readonly steps: number;
}

const RECIPES: Readonly<Record<string, Recipe>> = {
  [algebra.ALGEBRA]: { slice: algebra.pretrainingSlice, corpus: 40_000, vocabSize: 448, steps: 5000 },
  [prontoqa.PRONTOQA]: { slice: prontoqa.pretrainingSlice, corpus: 40_000, vocabSize: 640, steps: 5000 },
  [game24.GAME_24]: { slice: game24.pretrainingSlice, corpus: 2400, vocabSize: 384, steps: 5000 },
};
const LEARNING_RATE = 1.5e-3;
const CARD_QUESTIONS = 200;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      task: { type: "string" },
      out: { type: "string" },
      steps: { type: "string" },
      threads: { type: "string" },
    },
  });
  const name = values.task ?? "";
  const { out } = values;
  const recipe = Object.hasOwn(RECIPES, name) ? RECIPES[name] : undefined;
  if (recipe === undefined)
    return badInput("--task", `one of ${Object.keys(RECIPES).join(", ")}`, JSON.stringify(name));
  if (out === undefined) return badInput("--out", "a directory", "none");
  const steps = values.steps === undefined ? recipe.steps : Number(values.steps);
  if (!Number.isInteger(steps) || steps < 1) return badInput("--steps", "a whole number over 0", String(values.steps));
  const threads = values.threads === undefined ? availableParallelism() : Number(values.threads);

  const task = createTask(name);
  const options = { ...PRETRAIN_DEFAULTS, vocabSize: recipe.vocabSize };
  const rng = new Rng(options.seed).fork(name);
  const plain = recipe.slice(rng.fork("corpus"), recipe.corpus);
  const files = newStudent(options, plain, []);
  const engine = await createEngine("cpu", { threads });
  try {
    const startedMs = performance.now();
    const stage = { name: "plain", steps, learningRate: LEARNING_RATE, tastePercent: 0 };
    const { weights, loss } = await runStage(engine, task, files, { plain, taste: [] }, stage, options, (record) => {
      if (record.step % 50 === 0)
        process.stderr.write(
          `${name} ${record.step}/${steps}  loss ${record.loss.toFixed(4)}  ${Math.round(record.tokensPerSecond)} tokens/s\n`,
        );
    });
    const minutes = (performance.now() - startedMs) / 60_000;
    files.set("model.safetensors", weights);
    const student = await openStudent(engine, { source: memorySource(files, `${name} student`) });
    const { validation } = task.splits({ pool: 0, validation: CARD_QUESTIONS, test: 0 }, rng.fork("card"));
    const table = await accuracyTable(student, task, validation, ({ level }) => level, answerTokens(name));
    const { total } = student.parameters;
    await student.dispose();
    mkdirSync(out, { recursive: true });
    for (const [file, data] of files) writeFileSync(join(out, file), data);
    writeFileSync(
      join(out, "README.md"),
      `---
license: mit
language: en
pipeline_tag: text-generation
---
# A student for the task ${name}

A Llama of ${total.toLocaleString("en")} parameters, pretrained on ${plain.length.toLocaleString("en")} generated questions that no split of the task can hold: ${steps.toLocaleString("en")} steps of ${options.batchSize}, AdamW, learning rate ${LEARNING_RATE} with a cosine, seed ${options.seed}, final loss ${loss.toFixed(3)} nats per token, ${minutes.toFixed(0)} minutes on ${engine.info.version} with ${threads} threads. Made by \`npm run build:task-student -- --task ${name} --out DIR\`.

Greedy answers to ${CARD_QUESTIONS} held-out questions, exact final answers:

${table}
`,
    );
    process.stdout.write(`${table}\n`);
  } finally {
    await engine.dispose();
  }
}

await main();
