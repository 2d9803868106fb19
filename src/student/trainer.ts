/**
 * @file Finetuning: AdamW over a student's trainable parameters, one optimizer step
 * per iteration. Parameters, gradients and moments stay on the device; each step
 * reads back two numbers. Semantics of transformers' Trainer (see `dataOrder.ts`,
 * `optim/`). The whole state can be saved and continued on the same trajectory.
 */
import { badInput, invariant, isOutOfMemory, throwIfAborted, TutelageError } from "../core/errors.ts";
import type { Tensor } from "../onnx/types.ts";
import type { ParameterGroup } from "../optim/adamw.ts";
import { learningRateFactor } from "../optim/schedule.ts";
import type { DeviceTensor, Engine, Session, TensorRole } from "../runtime/types.ts";
import {
  anyShapeFeeds,
  anyShapeLimit,
  bucketLossPositions,
  inputLength,
  lossFeeds,
  makeMicroBatch,
  partsByLength,
} from "./batches.ts";
import type { MicroBatch } from "./batches.ts";
import { dataOrderOf, type DataOrder } from "./dataOrder.ts";
import { batchSizes, type LengthBuckets } from "./lengthBuckets.ts";
import { LossScale, type LossScaleState } from "./lossScale.ts";
import { trainingOutOfMemory } from "./memoryAdvice.ts";
import { largestShapes } from "./memoryPlan.ts";
import { only, optimizerStep, scalar } from "./optimizerStep.ts";
import type { HostParameters, ParameterStore } from "./parameterStore.ts";
import { comparePrecisions } from "./precisionGate.ts";
import type { SessionCache } from "./sessionCache.ts";
import type { EncodedRow, Precision, PrecisionChoice, StepRecord, TrainOptions } from "./types.ts";

/** Everything that training needs to continue, besides the rows and options it started with. */
export interface TrainerState {
  /** Steps done. */
  readonly step: number;
  readonly parameters: HostParameters;
  /** First and second moments, flat, by group name. */
  readonly expAvg: HostParameters;
  readonly expAvgSq: HostParameters;
  /** Of a training in float16. */
  readonly lossScale?: LossScaleState;
}

interface GroupBuffers {
  readonly name: string;
  readonly size: number;
  readonly decay: boolean;
  grad: DeviceTensor;
  /** Made when a step first has more than one part. */
  gradSpare: DeviceTensor | undefined;
  expAvg: DeviceTensor;
  expAvgSq: DeviceTensor;
  paramSpare: DeviceTensor;
  expAvgSpare: DeviceTensor;
  expAvgSqSpare: DeviceTensor;
}

/** Before anything is changed: the state fits these groups and this number of steps. */
function checkState(state: TrainerState, groups: readonly ParameterGroup[], totalSteps: number): void {
  if (!Number.isInteger(state.step) || state.step < 0 || state.step > totalSteps)
    badInput(
      "training state",
      `a step from 0 to ${totalSteps}`,
      String(state.step),
      "The state belongs to a longer training",
    );
  for (const moments of [state.expAvg, state.expAvgSq]) {
    for (const { name, size } of groups) {
      const length = moments.get(name)?.length;
      if (length !== size)
        badInput(
          `training state '${name}'`,
          `${size} values`,
          length === undefined ? "none" : String(length),
          "The state belongs to another student or adapter",
        );
    }
  }
}

/** Owns gradients, moments and spare buffers of one finetuning; `dispose` releases them. */
export class Trainer {
  readonly totalSteps: number;
  readonly #engine: Engine;
  readonly #store: ParameterStore;
  readonly #sessions: SessionCache;
  readonly #rows: readonly EncodedRow[];
  readonly #options: TrainOptions;
  readonly #order: DataOrder;
  readonly #maxPositions: number;
  /** Rows are at most this long in graphs that take any shape; undefined where each shape has a graph of its own. */
  readonly #lengthLimit: number | undefined;
  readonly #buckets: LengthBuckets | undefined;
  readonly #groups: GroupBuffers[];
  #choice: PrecisionChoice | undefined;
  #lossScale: LossScale | undefined;
  readonly #firstStep: number;
  #step: number;
  #disposed = false;

  constructor(
    parts: {
      readonly engine: Engine;
      readonly store: ParameterStore;
      readonly sessions: SessionCache;
      readonly maxPositions: number;
      /** Why the engine cannot compute in float16, where it cannot. */
      readonly noFloat16?: string | undefined;
    },
    rows: readonly EncodedRow[],
    options: TrainOptions,
    resume?: TrainerState,
  ) {
    this.#order = dataOrderOf(rows, options);
    this.totalSteps = this.#order.totalSteps;
    this.#engine = parts.engine;
    this.#store = parts.store;
    this.#sessions = parts.sessions;
    this.#maxPositions = parts.maxPositions;
    this.#rows = rows;
    this.#options = options;
    this.#lengthLimit = anyShapeLimit(rows, options, parts.sessions.blueprint.decoder, parts.engine.ep);
    // Buffers and pipelines of a GPU are kept by size: its lengths are chosen for the batches to come.
    if (parts.engine.ep === "webgpu") this.#buckets = parts.sessions.lengths("train", parts.maxPositions);
    this.#buckets?.prepare(batchSizes(rows, this.#order, options.batchSize));
    this.#firstStep = (resume?.step ?? 0) + 1;
    this.#step = this.#firstStep - 1;
    const { precision = "float32" } = options;
    if (precision === "float32") this.#choice = { precision };
    else if (parts.noFloat16 === undefined) this.#lossScale = new LossScale(resume?.lossScale);
    else if (precision === "float16")
      badInput("training in float16", "a GPU with the feature shader-f16", parts.noFloat16, "Train in float32");
    else
      this.#choice = {
        precision: "float32",
        reason: `float16 needs a GPU with the feature shader-f16, this is ${parts.noFloat16}`,
      };
    if (resume) checkState(resume, this.#store.layout.groups, this.totalSteps);
    const made: DeviceTensor[] = [];
    try {
      this.#groups = this.#buffers(made, resume);
      if (resume) this.#store.write(resume.parameters);
    } catch (error) {
      for (const tensor of made) tensor.dispose();
      throw this.#advised(error);
    }
  }

  /** Buffers of every group, with the moments of `resume`; what is made is put into `made` at once. */
  #buffers(made: DeviceTensor[], resume: TrainerState | undefined): GroupBuffers[] {
    const zeros = (size: number, role: TensorRole): DeviceTensor => {
      const tensor = this.#engine.zeros("float32", [size], role);
      made.push(tensor);
      return tensor;
    };
    const restored = (values: HostParameters | undefined, name: string, size: number): DeviceTensor => {
      const data = values?.get(name);
      if (data === undefined) return zeros(size, "moments");
      const tensor = this.#engine.upload({ type: "float32", shape: [size], data }, "moments");
      made.push(tensor);
      return tensor;
    };
    return this.#store.layout.groups.map(({ name, size, decay }) => ({
      name,
      size,
      decay,
      grad: zeros(size, "gradients"),
      gradSpare: undefined,
      expAvg: restored(resume?.expAvg, name, size),
      expAvgSq: restored(resume?.expAvgSq, name, size),
      paramSpare: zeros(size, "trainable"),
      expAvgSpare: zeros(size, "moments"),
      expAvgSqSpare: zeros(size, "moments"),
    }));
  }

  /** Steps done so far. */
  get step(): number {
    return this.#step;
  }

  /**
   * Does the next optimizer step. On failure (a non-finite loss or norm, abort,
   * device error) the parameters are those before the step.
   * @throws TutelageError non-finite naming the step, aborted, out-of-memory with what would need less.
   */
  async next(): Promise<StepRecord> {
    try {
      return await this.#next();
    } catch (error) {
      throw this.#advised(error);
    }
  }

  /** An error; where memory ran out, with what would need less. */
  #advised(error: unknown): unknown {
    if (!isOutOfMemory(error)) return error;
    const { blueprint } = this.#sessions;
    const { ep, live } = this.#engine;
    const plan = { ...this.#options, gradientCheckpointing: this.#options.gradientCheckpointing ?? false };
    const shapes = largestShapes(this.#rows, plan, blueprint.decoder, ep);
    return trainingOutOfMemory(error, blueprint, { ...plan, shapes }, ep, live.bytes);
  }

  async #next(): Promise<StepRecord> {
    invariant(!this.#disposed && this.#step < this.totalSteps, "a trainer with steps left");
    throwIfAborted(this.#options.signal, "training");
    const startedMs = performance.now();
    const anyShape = this.#lengthLimit !== undefined;
    const micro = this.#order.microBatches(this.#step).flatMap((indices) => {
      const rows = indices.map((index) => {
        const row = this.#rows[index];
        invariant(row !== undefined, "data order stays inside the rows");
        return row;
      });
      return (anyShape ? partsByLength(rows) : [rows]).map((part) =>
        makeMicroBatch(part, this.#options.batchSize, this.#maxPositions, this.#lengthOf(part)),
      );
    });
    const { precision } = await this.#choosePrecision(micro);
    const tokens = micro.reduce((sum, batch) => sum + batch.lossTokens, 0);
    const lr =
      this.#options.learningRate *
      learningRateFactor(this.#options.scheduler, this.#step, this.totalSteps, this.#options.warmupSteps);
    const { loss, gradNorm } = await this.#compute(micro, tokens, lr, precision);
    this.#apply();
    if (precision === "float16") this.#lossScale?.grow();
    this.#step++;
    const seconds = (performance.now() - startedMs) / 1000;
    const inputTokens = micro.reduce((sum, batch) => sum + batch.inputTokens, 0);
    return {
      step: this.#step,
      loss,
      gradNorm,
      lr,
      tokens,
      tokensPerSecond: inputTokens / seconds,
      ...(this.#step === this.#firstStep && this.#choice?.reason !== undefined ? { precision: this.#choice } : {}),
    };
  }

  #lengthOf(rows: readonly EncodedRow[]): number | "exact" | undefined {
    return this.#lengthLimit === undefined ? this.#buckets?.lengthFor(inputLength(rows)) : "exact";
  }

  /** On the first step: the device shows that float16 agrees with float32, or the training is in float32 and says why. */
  async #choosePrecision(micro: readonly MicroBatch[]): Promise<PrecisionChoice> {
    if (this.#choice !== undefined) return this.#choice;
    const [batch] = micro;
    invariant(batch !== undefined, "a step has a micro-batch");
    const { passed, report } = await comparePrecisions(
      {
        float32: await this.#session(batch, false, "float32"),
        float16: await this.#session(batch, false, "float16"),
      },
      (session, lossScale) =>
        session.run(
          this.#feeds(session, batch, lossScale),
          Object.fromEntries(session.outputNames.map((name) => [name, "host"])),
        ),
    );
    if (!passed && this.#options.precision === "float16")
      throw new TutelageError("device-refused", `training in float16: ${report}. Train in float32`);
    this.#choice = { precision: passed ? "float16" : "float32", reason: report };
    return this.#choice;
  }

  #session(batch: MicroBatch, accumulate: boolean, precision: Precision): Promise<Session> {
    const recompute = this.#options.gradientCheckpointing ?? false;
    if (this.#lengthLimit !== undefined)
      return this.#sessions.train("any", this.#lengthLimit, { accumulate, recompute, precision });
    return this.#sessions.train(batch.batch, batch.length, {
      accumulate,
      lossPositions: this.#lossPositions(batch),
      recompute,
      precision,
    });
  }

  #lossPositions(batch: MicroBatch): number | undefined {
    return bucketLossPositions(batch, batch.lossTokens, this.#sessions.blueprint.decoder.vocabSize);
  }

  #feeds(session: Session, batch: MicroBatch, lossScale: number): Record<string, Tensor | DeviceTensor> {
    return {
      ...this.#store.feeds(session),
      ...(this.#lengthLimit === undefined ? lossFeeds(batch, this.#lossPositions(batch)) : anyShapeFeeds(batch)),
      ...(session.inputNames.includes("lossScale") ? { lossScale: scalar(lossScale) } : {}),
    };
  }

  /**
   * Loss, gradients and the optimizer's results, beside the parameters; `#apply` makes them those of the student.
   * @throws TutelageError non-finite, where a smaller loss scale does not help.
   */
  async #compute(
    micro: readonly MicroBatch[],
    tokens: number,
    lr: number,
    precision: Precision,
  ): Promise<{ readonly loss: number; readonly gradNorm: number }> {
    for (;;) {
      const lossScale = precision === "float16" ? (this.#lossScale?.scale ?? 1) : 1;
      const loss = (await this.#accumulate(micro, precision, lossScale)) / tokens;
      const gradNorm = await this.#optimize(tokens * lossScale, lr);
      if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return { loss, gradNorm };
      if (Number.isFinite(loss) && precision === "float16" && this.#lossScale?.shrink()) continue;
      const t = this.#step + 1;
      throw new TutelageError(
        "non-finite",
        `training step ${t}: expected a finite loss and gradient norm, got loss ${loss} and norm ${gradNorm}. The step was not applied; try a lower learning rate, or check the data and weights for extreme values`,
        { details: { step: t, loss, gradNorm } },
      );
    }
  }

  /** Gradients of `lossScale` times the summed loss over all micro-batches into `grad`; returns that sum, unscaled. */
  async #accumulate(micro: readonly MicroBatch[], precision: Precision, lossScale: number): Promise<number> {
    let lossSum = 0;
    for (const [i, batch] of micro.entries()) {
      throwIfAborted(this.#options.signal, "training");
      const accumulate = i > 0;
      const session = await this.#session(batch, accumulate, precision);
      const feeds = this.#feeds(session, batch, lossScale);
      const targets: Record<string, "host" | DeviceTensor> = { lossSum: "host" };
      for (const group of this.#groups) {
        if (accumulate) {
          const next = group.gradSpare ?? this.#engine.zeros("float32", [group.size], "gradients");
          feeds[`grad.${group.name}`] = group.grad;
          [group.grad, group.gradSpare] = [next, group.grad];
        }
        targets[`grad.${group.name}.out`] = group.grad;
      }
      const result = await session.run(feeds, targets); // GPU→CPU sync: the loss
      lossSum += only(result.host("lossSum"));
    }
    return lossSum;
  }

  /** The optimizer's step on gradients that are `divisor` times those of the mean loss, into the spare buffers; returns their norm. */
  #optimize(divisor: number, lr: number): Promise<number> {
    const { weightDecay, maxGradNorm } = this.#options;
    const buffers = this.#groups.map((group) => ({ ...group, param: this.#store.group(group.name) }));
    const step = { t: this.#step + 1, lr, divisor };
    return optimizerStep(this.#engine.ep, this.#sessions, buffers, { weightDecay, maxGradNorm }, step);
  }

  #apply(): void {
    for (const group of this.#groups) {
      group.paramSpare = this.#store.swap(group.name, group.paramSpare);
      [group.expAvg, group.expAvgSpare] = [group.expAvgSpare, group.expAvg];
      [group.expAvgSq, group.expAvgSqSpare] = [group.expAvgSqSpare, group.expAvgSq];
    }
  }

  /** Host copy of the whole state (GPU→CPU sync). */
  async state(): Promise<TrainerState> {
    const expAvg = new Map<string, Float32Array>();
    const expAvgSq = new Map<string, Float32Array>();
    for (const group of this.#groups) {
      for (const [into, tensor] of [
        [expAvg, group.expAvg],
        [expAvgSq, group.expAvgSq],
      ] as const) {
        const { data } = await this.#engine.read(tensor);
        invariant(data instanceof Float32Array, "moments are float32");
        into.set(group.name, data);
      }
    }
    const scale = this.#choice?.precision === "float16" ? this.#lossScale?.state : undefined;
    return {
      step: this.#step,
      parameters: await this.#store.read(),
      expAvg,
      expAvgSq,
      ...(scale === undefined ? {} : { lossScale: scale }),
    };
  }

  /** Releases gradients and moments; the student keeps its parameters. Idempotent. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const group of this.#groups) {
      for (const tensor of [
        group.grad,
        group.gradSpare,
        group.expAvg,
        group.expAvgSq,
        group.paramSpare,
        group.expAvgSpare,
        group.expAvgSqSpare,
      ]) {
        tensor?.dispose();
      }
    }
  }
}
