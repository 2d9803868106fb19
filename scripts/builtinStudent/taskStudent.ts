/**
 * @file `npm run build:task-student -- --task NAME`: pretrains the built-in student of one task (algebra, prontoqa,
 * game24) from the weights of another one or from random ones, with a tokenizer of its own, and writes it with
 * its model card into `public/students/NAME` (or `--out DIR`), stage by stage. `--stage NAME` runs one
 * stage from the weights that are there; `--stage none` only writes the card anew. Seeded: the same
 * files from one engine and thread count.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { builtinStudentDirectory } from "../../src/cli/builtinStudent.ts";
import { badInput } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { BUILTIN, BUILTIN_STUDENT_FILES } from "../../src/student/builtinFiles.ts";
import { createTask } from "../../src/tasks/registry.ts";
import { newStudent, PRETRAIN_DEFAULTS, trainOn } from "./pretrain.ts";
import { RECIPES, type Recipe, type TaskStage } from "./recipes.ts";
import { taskStudentCard, type TaskStageLog } from "./taskStudentCard.ts";
import { warmStart } from "./warmStart.ts";

const SEED = 1;
/** Of the texts that the tokenizer is trained on. */
const WORDS_SEED = 9;
const WARMUP_STEPS = 100;
const LOG_FILE = "training.json";

async function filesIn(directory: string, names: readonly string[]): Promise<Map<string, Uint8Array>> {
  const source = directorySource(directory);
  return new Map(await Promise.all(names.map(async (name) => [name, await source.read(name)] as const)));
}

/** Writes the student before its first stage. */
async function begin({ words, vocabSize, pieces, from }: Recipe, out: string): Promise<void> {
  const fresh = newStudent(
    {
      ...PRETRAIN_DEFAULTS,
      seed: SEED,
      vocabSize,
      ...(pieces === undefined ? {} : { pieces }),
      induction: from === undefined,
    },
    words(new Rng(WORDS_SEED)),
    [],
  );
  const files =
    from === undefined
      ? fresh
      : warmStart(
          fresh,
          await filesIn(builtinStudentDirectory(`${BUILTIN}:${from}`), ["tokenizer.json", "model.safetensors"]),
        );
  mkdirSync(out, { recursive: true });
  for (const [file, data] of files) writeFileSync(join(out, file), data);
  writeFileSync(join(out, LOG_FILE), "[]\n");
}

async function train(engine: Engine, threads: number, name: string, stage: TaskStage, out: string): Promise<void> {
  const { steps, batchSize, learningRate } = stage;
  const files = await filesIn(out, BUILTIN_STUDENT_FILES);
  const log = readLog(out);
  const base = new Rng(SEED).fork(name);
  const rng = log.length === 0 ? base : base.fork(stage.name);
  const questions = stage.corpus(rng.fork("corpus"));
  const startedMs = performance.now();
  const recent: number[] = [];
  const { weights, loss } = await trainOn(
    engine,
    createTask(name),
    files,
    questions,
    { steps, learningRate, batchSize, warmupSteps: WARMUP_STEPS, seed: SEED, rng },
    (record) => {
      recent.push(record.loss);
      if (record.step % 50 === 0)
        process.stderr.write(
          `${stage.name} ${record.step}/${steps}  loss ${mean(recent.splice(0)).toFixed(4)}  ${Math.round(record.tokensPerSecond)} tokens/s\n`,
        );
    },
  );
  writeFileSync(join(out, "model.safetensors"), weights);
  const entry: TaskStageLog = {
    stage: stage.name,
    about: stage.about,
    rows: questions.length,
    steps,
    batchSize,
    learningRate,
    seed: SEED,
    minutes: (performance.now() - startedMs) / 60_000,
    engine: `${engine.info.version}, ${threads} thread${threads === 1 ? "" : "s"}`,
    finalLoss: loss,
  };
  writeFileSync(join(out, LOG_FILE), `${JSON.stringify([...log, entry], null, 2)}\n`);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function readLog(out: string): TaskStageLog[] {
  return JSON.parse(readFileSync(join(out, LOG_FILE), "utf8")) as TaskStageLog[];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      task: { type: "string" },
      out: { type: "string" },
      stage: { type: "string" },
      threads: { type: "string", default: "1" },
    },
  });
  const name = values.task ?? "";
  const recipe = Object.hasOwn(RECIPES, name) ? RECIPES[name] : undefined;
  if (recipe === undefined)
    return badInput("--task", `one of ${Object.keys(RECIPES).join(", ")}`, JSON.stringify(name));
  const names = recipe.stages.map((stage) => stage.name);
  if (values.stage !== undefined && values.stage !== "none" && !names.includes(values.stage))
    return badInput("--stage", `one of ${names.join(", ")}, none`, JSON.stringify(values.stage));
  const out = values.out ?? join("public/students", name);
  const threads = Number(values.threads);
  const engine = await createEngine("cpu", { threads });
  try {
    if (values.stage === undefined) await begin(recipe, out);
    for (const stage of recipe.stages)
      if (values.stage === undefined || values.stage === stage.name) await train(engine, threads, name, stage, out);
    const card = await taskStudentCard(engine, name, out, readLog(out), recipe.from);
    writeFileSync(join(out, "README.md"), card);
    process.stdout.write(card.slice(card.indexOf("## What")));
  } finally {
    await engine.dispose();
  }
}

await main();
