/** @file `tutelage train`: full or LoRA finetuning of a student directory, to be interrupted and resumed. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { badInput, invariant, isOutOfMemory, messageOf } from "../../core/errors.ts";
import { parseExamples } from "../../formats/examples.ts";
import { directorySink, directorySource } from "../../formats/node/directorySource.ts";
import { EXCESS_LENGTHS } from "../../loop/config.ts";
import { SCHEDULERS } from "../../optim/schedule.ts";
import { dataOrderOf } from "../../student/dataOrder.ts";
import { compareMemory, measuredMemory, type MeasuredMemory } from "../../student/measuredMemory.ts";
import { describeEstimate, formatBytes } from "../../student/memoryEstimate.ts";
import { chooseMemory, type MemoryChoice } from "../../student/memoryPlan.ts";
import { ADAPTER_FILES, saveLora, saveStudent, STUDENT_FILES } from "../../student/save.ts";
import type { Engine, ExecutionProvider } from "../../runtime/types.ts";
import type { LanguageModel, OpenStudentOptions } from "../../student/student.ts";
import {
  identifyTraining,
  loadTrainingState,
  saveTrainingState,
  TRAINING_STATE_FILES,
} from "../../student/trainingState.ts";
import { FROZEN_WEIGHTS, PRECISIONS } from "../../student/types.ts";
import type { EncodedRow, ExampleRow, TrainMethod, TrainOptions } from "../../student/types.ts";
import { isTooLong } from "../../tokenizer/encodeRow.ts";
import type { Command } from "../command.ts";
import { withInterrupt } from "../interrupt.ts";
import { helpText, ONNX_OPTION, Options, type OptionSpecs } from "../options.ts";
import { trainInLess } from "../memoryOptions.ts";
import { Output } from "../output.ts";
import { parseOut, readDataFile, withStudent } from "../session.ts";
import { ADAPTER_HELP, STUDENT_HELP } from "../studentSource.ts";

const OPTIONS: OptionSpecs = {
  student: { value: "DIR|ID", description: STUDENT_HELP, required: true },
  onnx: ONNX_OPTION,
  data: {
    value: "FILE",
    description: 'JSONL rows: {"prompt","completion"}, {"messages"} or {"text"}, optional "id"',
    required: true,
  },
  out: {
    value: "DIR",
    description: "where the trained student or adapter goes; written whole at the end or not at all",
    required: true,
  },
  adapter: {
    value: "DIR|ID",
    description: `PEFT adapter to continue (with --method full it is merged first): ${ADAPTER_HELP}`,
  },
  method: { value: "full|lora", description: "train all weights, or a low-rank adapter", default: "full" },
  "lora-r": { value: "R", description: "rank of a new adapter", default: "8" },
  "lora-alpha": { value: "X", description: "alpha of a new adapter; scaling is alpha/r", default: "16" },
  "lora-targets": {
    value: "LIST",
    description: "comma-separated module names (q_proj,v_proj), or all-linear",
    default: "all-linear",
  },
  epochs: { value: "N", description: "passes over the data (default 3)" },
  steps: { value: "N", description: "optimizer steps; instead of --epochs" },
  "batch-size": { value: "N", description: "rows per micro-batch", default: "8" },
  "grad-accum": { value: "N", description: "micro-batches per optimizer step", default: "1" },
  lr: { value: "X", description: "learning rate", default: "5e-5" },
  scheduler: { value: SCHEDULERS.join("|"), description: "learning-rate schedule", default: "linear" },
  "warmup-steps": { value: "N", description: "linear warm-up from 0", default: "0" },
  "weight-decay": { value: "X", description: "decoupled decay of weights (not of norms and biases)", default: "0" },
  "max-grad-norm": { value: "X", description: "clip to this global norm; 0: no clipping", default: "1" },
  "save-state": {
    value: "DIR",
    description: "keep the state of the training here: when it ends, is interrupted, or as --save-every says",
  },
  "save-every": {
    value: "N",
    description: "optimizer steps between savings of the state; 0: only at the end",
    default: "0",
  },
  "stop-after": {
    value: "N",
    description: "stop after optimizer step N of the whole training, to go on later; needs --save-state",
  },
  "resume-state": {
    value: "DIR",
    description:
      "go on with a saved state: same student, data and options; of --batch-size and --grad-accum only the product counts, so that a training that ran out of memory goes on in smaller batches",
  },
  "group-by-length": { description: "rows of similar length share a step: less padding" },
  weights: {
    value: "float32|float16",
    description: "how frozen weights (lora) are held; float16 halves them, exact for checkpoints in float16",
    default: "float32",
  },
  "gradient-checkpointing": {
    value: "auto|on|off",
    description: "compute activations twice instead of keeping them: slower, far less memory; auto: where needed",
    default: "auto",
  },
  precision: {
    value: "float32|float16|auto",
    description:
      "what matrix products compute in; float16 needs --ep webgpu with shader-f16, and that the device agrees with float32 on the first batch (auto: float32 where not, saying why)",
    default: "float32",
  },
  "memory-limit": {
    value: "SIZE",
    description: "refuse a training that would need more (500MB, 2GiB; default: 4GiB on wasm, else none)",
  },
  "memory-report": {
    value: "FILE",
    description: "write what memory was expected and taken, by cause, as JSON (both are also told at the end)",
  },
  estimate: { description: "only print what memory the training would need, by cause; trains and writes nothing" },
  "no-shuffle": { description: "keep the rows in file order" },
  truncate: { description: "drop tokens from the left of prompts that exceed the context (default: an error)" },
  "excess-length": {
    value: EXCESS_LENGTHS.join("|"),
    description: "rows longer than the context: refuse the training, or drop them and say how many",
    default: "refuse",
  },
};

const OUT_OPTIONAL = { value: "DIR", description: "not written" };
const LORA_ONLY = ["lora-r", "lora-alpha", "lora-targets"] as const;

/** Undefined: continue the adapter as it is. */
function parseMethod(options: Options): TrainMethod | undefined {
  const method = options.choice("method", ["full", "lora"]);
  const given = LORA_ONLY.find((name) => options.given(name));
  if (method === "full") {
    if (given !== undefined) badInput(`--${given}`, "--method lora beside it", "--method full");
    return { method };
  }
  if (options.given("adapter")) {
    if (given !== undefined)
      badInput(
        `--${given}`,
        "no LoRA setting beside --adapter",
        options.text(given) ?? "",
        "A continued adapter keeps its own rank, alpha and targets",
      );
    return undefined;
  }
  const targets = options.requiredText("lora-targets");
  return {
    method,
    r: options.integer("lora-r", { min: 1, max: 65536 }),
    loraAlpha: options.number("lora-alpha", { min: 0 }),
    targetModules: targets === "all-linear" ? targets : targets.split(",").map((name) => name.trim()),
  };
}

function parseTrainOptions(options: Options): TrainOptions {
  if (options.given("epochs") && options.given("steps")) badInput("--epochs and --steps", "one of them", "both");
  return {
    ...(options.given("steps")
      ? { steps: options.integer("steps", { min: 1 }) }
      : { epochs: options.given("epochs") ? options.number("epochs", { min: 0 }) : 3 }),
    batchSize: options.integer("batch-size", { min: 1 }),
    gradAccum: options.integer("grad-accum", { min: 1 }),
    learningRate: options.number("lr", { min: 0 }),
    scheduler: options.choice("scheduler", SCHEDULERS),
    warmupSteps: options.integer("warmup-steps", { min: 0 }),
    weightDecay: options.number("weight-decay", { min: 0 }),
    maxGradNorm: options.number("max-grad-norm", { min: 0 }),
    shuffle: !options.flag("no-shuffle"),
    groupByLength: options.flag("group-by-length"),
    seed: options.integer("seed"),
    truncate: options.flag("truncate"),
    precision: options.choice("precision", [...PRECISIONS, "auto"]),
  };
}

/** Where the state of the training comes from and goes to. */
interface StatePlan {
  readonly resume: string | undefined;
  readonly save: string | undefined;
  /** 0: only at the end. */
  readonly saveEvery: number;
  readonly stopAfter: number;
}

async function parseStatePlan(options: Options): Promise<StatePlan> {
  const directory = (name: string): string | undefined =>
    options.given(name) ? options.requiredText(name) : undefined;
  const save = directory("save-state");
  for (const name of ["save-every", "stop-after"])
    if (options.given(name) && save === undefined) badInput(`--${name}`, "--save-state DIR beside it", "none");
  for (const name of ["out", "student", "adapter"]) {
    const other = options.text(name);
    if (save !== undefined && other !== undefined && resolve(save) === resolve(other))
      badInput("--save-state", `another directory than --${name}`, save);
  }
  // Now, not after hours: the directory can be written to.
  if (save !== undefined) await (await directorySink(save, TRAINING_STATE_FILES)).abort();
  return {
    resume: directory("resume-state"),
    save,
    saveEvery: options.integer("save-every", { min: 0 }),
    stopAfter: options.given("stop-after") ? options.integer("stop-after", { min: 1 }) : Infinity,
  };
}

/** Trains to the end (true), or to where `plan` stops (false). On an interrupt the last whole step is kept. */
async function trainSteps(
  student: LanguageModel,
  rows: readonly EncodedRow[],
  options: TrainOptions,
  plan: StatePlan,
  output: Output,
): Promise<boolean> {
  const { totalSteps } = dataOrderOf(rows, options);
  const identity =
    plan.resume === undefined && plan.save === undefined
      ? undefined
      : await identifyTraining(student, rows, options, totalSteps);
  const resume =
    plan.resume === undefined || identity === undefined
      ? undefined
      : await loadTrainingState(directorySource(plan.resume), identity);
  if (resume !== undefined && resume.step >= totalSteps)
    badInput(
      `--resume-state ${plan.resume}`,
      `a state with steps left to ${totalSteps}`,
      `one after step ${resume.step}`,
      "That training is done; a constant schedule can go on with more --steps",
    );
  if (resume !== undefined && resume.step >= plan.stopAfter)
    badInput("--stop-after", `a step after ${resume.step}, where --resume-state goes on`, String(plan.stopAfter));
  const trainer = student.trainer(rows, options, resume);
  const save = async (): Promise<void> => {
    if (plan.save === undefined || identity === undefined) return;
    const sink = await directorySink(plan.save, TRAINING_STATE_FILES);
    try {
      await saveTrainingState(sink, await trainer.state(), identity);
      await sink.commit();
    } finally {
      await sink.abort();
    }
  };
  try {
    while (trainer.step < Math.min(totalSteps, plan.stopAfter)) {
      const record = await trainer.next();
      if (record.precision !== undefined)
        output.note(`precision: ${record.precision.precision}; ${record.precision.reason}`);
      output.record(
        record,
        `step ${record.step}  loss ${record.loss.toFixed(4)}  norm ${record.gradNorm.toFixed(3)}  lr ${record.lr.toExponential(2)}  ${Math.round(record.tokensPerSecond)} tokens/s`,
      );
      if (plan.saveEvery > 0 && trainer.step % plan.saveEvery === 0) await save();
    }
    await save();
    return trainer.step === totalSteps;
  } catch (error) {
    const outOfMemory = isOutOfMemory(error);
    if ((options.signal?.aborted || outOfMemory) && plan.save !== undefined) {
      await save();
      output.note(
        `${outOfMemory ? "out of memory" : "interrupted"} after step ${trainer.step} of ${totalSteps}; go on with --resume-state ${plan.save}${outOfMemory ? trainInLess(options) : ""}`,
      );
    }
    throw error;
  } finally {
    trainer.dispose();
  }
}

/** Thrown from the student's opening to end a run that only estimates. */
class EstimateOnly extends Error {}

interface MemoryPlan {
  /** Set when the student was opened, as are the rows. */
  readonly choice: MemoryChoice | undefined;
  readonly encoded: readonly EncodedRow[];
  readonly prepare: (engine: Engine) => Pick<OpenStudentOptions, "frozenWeights" | "beforeUpload">;
}

/** Estimates, chooses and says so before anything is on the device. */
function planMemory(
  options: Options,
  trainOptions: TrainOptions,
  rows: readonly ExampleRow[],
  output: Output,
): MemoryPlan {
  const checkpointing = options.choice("gradient-checkpointing", ["auto", "on", "off"]);
  const frozenWeights = options.choice("weights", FROZEN_WEIGHTS);
  if (options.given("weights") && options.text("method") !== "lora")
    badInput("--weights", "--method lora beside it", "--method full", "Weights that train are float32");
  const dropLong = options.choice("excess-length", EXCESS_LENGTHS) === "drop";
  if (dropLong && options.flag("truncate"))
    badInput("--excess-length", "no drop with --truncate, which shortens them", "drop");
  const limitBytes = options.given("memory-limit") ? options.bytes("memory-limit") : undefined;
  const plan: { -readonly [K in keyof MemoryPlan]: MemoryPlan[K] } = {
    choice: undefined,
    encoded: [],
    prepare: (engine) => ({
      frozenWeights,
      beforeUpload: ({ blueprint, encode, encodeAll }) => {
        // Numbered before some are gone, as the file numbers them.
        const named = rows.map((row, i) => (row.id === undefined ? { ...row, id: String(i + 1) } : row));
        const fitting = dropLong ? named.filter((row) => !isTooLong(() => encode(row))) : rows;
        if (fitting.length === 0) badInput("--data", "rows that fit the student's context", "none");
        if (dropLong) output.note(describeDropped(named, fitting));
        const encoded = encodeAll(fitting, trainOptions.truncate);
        const choice = chooseMemory(blueprint, encoded, trainOptions, engine.ep, { checkpointing, limitBytes });
        plan.choice = choice;
        plan.encoded = encoded;
        const { estimate, gradientCheckpointing, shape } = choice;
        const text = `memory: about ${formatBytes(estimate.total)} (${describeEstimate(estimate)})${gradientCheckpointing ? ", with gradient checkpointing" : ""}`;
        if (!options.flag("estimate")) return output.note(text);
        const { batch, length } = shape;
        output.record({ ...estimate, provider: engine.ep, batch, length, gradientCheckpointing }, text);
        throw new EstimateOnly();
      },
    }),
  };
  return plan;
}

function describeDropped(rows: readonly ExampleRow[], kept: readonly ExampleRow[]): string {
  const [first] = rows.filter((row) => !kept.includes(row));
  const count = rows.length - kept.length;
  return first === undefined
    ? "no row is longer than the context: none dropped"
    : `warning: dropped ${count} of ${rows.length} rows, longer than the context; the first: ${first.id}`;
}

async function onlyEstimate(opening: Promise<unknown>): Promise<void> {
  try {
    await opening;
  } catch (error) {
    if (!(error instanceof EstimateOnly)) throw error;
  }
}

/** What `--memory-report` names, holding what is expected and, after the training, what was taken. */
async function writeMemoryReport(
  path: string | undefined,
  ep: ExecutionProvider,
  { gradientCheckpointing, shape, estimate }: MemoryChoice,
  measured: MeasuredMemory | null,
): Promise<void> {
  if (path === undefined) return;
  const report = { provider: ep, ...shape, gradientCheckpointing, estimated: estimate, measured };
  try {
    await writeFile(path, `${JSON.stringify(report, null, 2)}\n`);
  } catch (error) {
    badInput("--memory-report", "a file that can be written", messageOf(error));
  }
}

export const trainCommand: Command = {
  name: "train",
  summary: "Finetune a student on rows, in full or by LoRA, and write it as a Hugging Face or PEFT directory.",
  help: () =>
    helpText(
      "tutelage train --student DIR --data FILE.jsonl --out DIR [options]",
      'Prints one line an optimizer step: {"step","loss","gradNorm","lr","tokens","tokensPerSecond"}. loss is the mean over the step\'s completion tokens in nats, gradNorm the norm before clipping, tokens the number of completion tokens, tokensPerSecond counts all input tokens.',
      OPTIONS,
      "AdamW (betas 0.9 and 0.999, epsilon 1e-8), loss summed over the accumulated batch and divided by its completion tokens, as transformers' Trainer. Of messages, which the student's own chat template writes, all assistant turns carry loss. A training that is stopped and resumed takes the same steps as one that is not, bit for bit on the cpu provider.",
    ),
  async run(args, streams) {
    const estimateOnly = args.includes("--estimate");
    const options = Options.parse("train", args, estimateOnly ? { ...OPTIONS, out: OUT_OPTIONAL } : OPTIONS);
    if (options.flag("help")) return void streams.out(this.help());
    const output = new Output(streams, options.flag("json"));
    const method = parseMethod(options);
    const trainOptions = parseTrainOptions(options);
    const { text, path } = await readDataFile(options, "data");
    const rows = parseExamples(text, path);
    const memory = planMemory(options, trainOptions, rows, output);
    if (estimateOnly) return onlyEstimate(withStudent(options, output, method, async () => undefined, memory.prepare));
    const out = parseOut(options);
    const plan = await parseStatePlan(options);
    const lora = options.text("method") === "lora";
    const sink = await directorySink(out, lora ? ADAPTER_FILES : STUDENT_FILES);
    try {
      const finished = await withInterrupt((signal) =>
        withStudent(
          options,
          output,
          method,
          async (student, engine) => {
            const { total, trainable } = student.parameters;
            output.note(
              `training ${trainable.toLocaleString("en")} of ${total.toLocaleString("en")} parameters on ${memory.encoded.length} rows`,
            );
            const { encoded, choice } = memory;
            invariant(choice !== undefined, "opening a student chose how it trains");
            const { gradientCheckpointing } = choice;
            const report = options.text("memory-report");
            // Now, not after hours: the file can be written.
            await writeMemoryReport(report, engine.ep, choice, null);
            const done = await trainSteps(
              student,
              encoded,
              { ...trainOptions, gradientCheckpointing, signal },
              plan,
              output,
            );
            const measured = measuredMemory(engine.memory);
            invariant(measured !== undefined, "every provider counts its memory in Node");
            for (const line of compareMemory(choice.estimate, measured)) output.note(line);
            await writeMemoryReport(report, engine.ep, choice, measured);
            if (done) await (lora ? saveLora(student, sink) : saveStudent(student, sink));
            return done;
          },
          memory.prepare,
        ),
      );
      if (finished) await sink.commit();
      output.note(
        finished
          ? `wrote ${out}`
          : `stopped after step ${plan.stopAfter}, ${out} not written; go on with --resume-state ${plan.save}`,
      );
    } finally {
      await sink.abort();
    }
  },
};
