/**
 * @file `npm run build:student`: pretrains the built-in student and writes it with its
 * model card into `public/student` (or `--out DIR`), stage by stage. `--stage NAME` runs one
 * stage from the weights that are there; `--stage none` only writes the card anew.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Rng } from "../../src/core/rng.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import { openStudent, type LanguageModel } from "../../src/student/student.ts";
import type { Question } from "../../src/tasks/types.ts";
import { CLUSTERS } from "../../src/tasks/wordProblems/phrase.ts";
import { pretrainingSlice, wordProblemsTask } from "../../src/tasks/wordProblems/wordProblems.ts";
import { accuracyTable } from "./accuracyTable.ts";
import { newStudent, PRETRAIN_DEFAULTS, runStage, STAGES } from "./pretrain.ts";

/** Questions pretrained on. */
const CORPUS = 40_000;
/** Of these, questions in the other wordings, 60 of each. */
const TASTE = 540;
const CARD_QUESTIONS = 300;
/** Every wording, for the tokenizer and the card; the task's own default mixture has a few of them. */
const ALL_WORDINGS = {
  levels: { "1 step": 6, "2 steps": 7, "3 steps": 5, "4 steps": 2 },
  clusters: { ...Object.fromEntries(CLUSTERS.map((cluster) => [cluster, 1])), plain: 11 },
};
/** What a stage reads; the rest of the directory is for people. */
const STUDENT_FILES = [
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "generation_config.json",
  "model.safetensors",
];
const MAX_NEW_TOKENS = 56;

/** One stage as it was run, kept beside the weights for the card. */
interface StageLog {
  readonly stage: string;
  readonly steps: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly tastePercent: number;
  readonly seed: number;
  readonly minutes: number;
  readonly engine: string;
  readonly finalLoss: number;
}

/** The model card. Accuracy is measured now, greedily, on questions that no split of pretraining can hold. */
async function modelCard(student: LanguageModel, stages: readonly StageLog[]): Promise<string> {
  const task = wordProblemsTask(ALL_WORDINGS);
  const rng = new Rng(20_001);
  const { validation } = task.splits({ pool: 0, validation: CARD_QUESTIONS, test: 0 }, rng.fork("card"));
  const cluster = (question: Question): string => question.tags?.["cluster"] ?? "plain";
  const plain = validation.filter((question) => cluster(question) === "plain");
  const byLevel = await accuracyTable(student, task, plain, (question) => `plain, ${question.level}`, MAX_NEW_TOKENS);
  const byCluster = await accuracyTable(student, task, validation, cluster, MAX_NEW_TOKENS);
  const { total } = student.parameters;
  const stageRows = stages.map(
    (log) =>
      `| ${log.stage} | ${log.steps.toLocaleString("en")} of ${log.batchSize} problems | ${log.tastePercent} % | ${log.learningRate} | ${log.finalLoss.toFixed(3)} | ${log.minutes.toFixed(0)} on ${log.engine} |`,
  );
  return `---
license: mit
language: en
pipeline_tag: text-generation
---
# The built-in student

A Llama of ${total.toLocaleString("en")} parameters (4 layers, hidden size 128, 4 heads, 2 key-value heads, vocabulary 768, context 256, tied embeddings, float16) that answers short word problems step by step. It is made to be good at easy questions and to fail hard ones, so that there is something to learn; it knows nothing else.

- **Data:** ${CORPUS.toLocaleString("en")} generated word problems of the easy slice: plain wording, 1 to 3 steps (\`pretrainingSlice\` in \`src/tasks/wordProblems\`), and ${TASTE} in the nine other wordings. Splits of the task never share a problem with them: a problem's canonical form decides by its hash where it may appear. The tokenizer is a byte-level BPE with single digits.
- **Training:** loss on the answers only, AdamW with weight decay 0.1 and clipping at 1, a cosine per stage, seed ${stages[0]?.seed}.
- **Made by:** \`npm run build:student\`, with this project's own trainer.

| stage | steps | other wordings | learning rate | final loss, nats per token | minutes |
|---|---|---|---|---|---|
${stageRows.join("\n")}

## What it can do

Greedy answers to ${CARD_QUESTIONS} held-out questions in all wordings, exact final answers. Plain wording by steps (4 steps were never shown):

${byLevel}

By wording, all steps:

${byCluster}
`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      out: { type: "string", default: "public/student" },
      stage: { type: "string" },
      threads: { type: "string" },
    },
  });
  const { out } = values;
  const threads = values.threads === undefined ? availableParallelism() : Number(values.threads);
  const options = PRETRAIN_DEFAULTS;
  const task = wordProblemsTask(ALL_WORDINGS);
  const rng = new Rng(options.seed);
  const logFile = join(out, "training.json");
  const engine = await createEngine("cpu", { threads });
  try {
    const stages = STAGES.filter((stage) => values.stage === undefined || values.stage === stage.name);
    if (stages.length > 0) {
      const plain = pretrainingSlice(rng.fork("corpus"), CORPUS);
      const otherWordings = CLUSTERS.filter((cluster) => cluster !== "plain");
      const taste = pretrainingSlice(rng.fork("taste"), TASTE, {
        clusters: Object.fromEntries(otherWordings.map((cluster) => [cluster, 1])),
      });
      mkdirSync(out, { recursive: true });
      if (values.stage === undefined) {
        const texts = task.splits({ pool: 200, validation: 0, test: 0 }, rng.fork("splits")).pool;
        for (const [name, data] of newStudent(options, plain, texts)) writeFileSync(join(out, name), data);
        writeFileSync(logFile, "[]\n");
      }
      for (const stage of stages) {
        const source = directorySource(out);
        const files = new Map(
          await Promise.all(STUDENT_FILES.map(async (name) => [name, await source.read(name)] as const)),
        );
        const startedMs = performance.now();
        const { weights, loss } = await runStage(engine, task, files, { plain, taste }, stage, options, (record) => {
          if (record.step % 50 === 0)
            process.stderr.write(
              `${stage.name} ${record.step}/${stage.steps}  loss ${record.loss.toFixed(4)}  ${Math.round(record.tokensPerSecond)} tokens/s\n`,
            );
        });
        writeFileSync(join(out, "model.safetensors"), weights);
        const log: StageLog = {
          stage: stage.name,
          steps: stage.steps,
          batchSize: options.batchSize,
          learningRate: stage.learningRate,
          tastePercent: stage.tastePercent,
          seed: options.seed,
          minutes: (performance.now() - startedMs) / 60_000,
          engine: `${engine.info.version}, ${threads} thread${threads === 1 ? "" : "s"}`,
          finalLoss: loss,
        };
        writeFileSync(logFile, `${JSON.stringify([...readLog(logFile), log], null, 2)}\n`);
      }
    }
    const student = await openStudent(engine, { source: directorySource(out) });
    writeFileSync(join(out, "README.md"), await modelCard(student, readLog(logFile)));
    await student.dispose();
  } finally {
    await engine.dispose();
  }
}

function readLog(path: string): StageLog[] {
  return JSON.parse(readFileSync(path, "utf8")) as StageLog[];
}

await main();
