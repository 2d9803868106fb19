/**
 * @file Finetuning: AdamW over a student's trainable parameters, one optimizer step
 * per iteration. Parameters, gradients and moments stay on the device; each step
 * reads back two numbers. Semantics of transformers' Trainer (see `dataOrder.ts`,
 * `optim/`). The whole state can be saved and continued on the same trajectory.
 */
import { badInput, invariant, throwIfAborted, TutelageError } from "../core/errors.ts";
import type { Tensor } from "../onnx/types.ts";
import { ADAM_BETA1, ADAM_BETA2, type ParameterGroup } from "../optim/adamw.ts";
import { learningRateFactor } from "../optim/schedule.ts";
import type { DeviceTensor, Engine } from "../runtime/types.ts";
import { bucketLossPositions, lossFeeds, makeMicroBatch, type MicroBatch } from "./batches.ts";
import { dataOrderOf, type DataOrder } from "./dataOrder.ts";
import type { HostParameters, ParameterStore } from "./parameterStore.ts";
import type { SessionCache } from "./sessionCache.ts";
import type { EncodedRow, StepRecord, TrainOptions } from "./types.ts";

/** Everything that training needs to continue, besides the rows and options it started with. */
export interface TrainerState {
  /** Steps done. */
  readonly step: number;
  readonly parameters: HostParameters;
  /** First and second moments, flat, by group name. */
  readonly expAvg: HostParameters;
  readonly expAvgSq: HostParameters;
}

interface GroupBuffers {
  readonly name: string;
  readonly size: number;
  grad: DeviceTensor;
  gradSpare: DeviceTensor | undefined;
  expAvg: DeviceTensor;
  expAvgSq: DeviceTensor;
  paramSpare: DeviceTensor;
  expAvgSpare: DeviceTensor;
  expAvgSqSpare: DeviceTensor;
}

const scalar = (value: number): Tensor => ({ type: "float32", shape: [1], data: Float32Array.of(value) });

function only(tensor: Tensor): number {
  const value = tensor.data[0];
  invariant(typeof value === "number", "a scalar output");
  return value;
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
  readonly #groups: GroupBuffers[];
  #step: number;
  #disposed = false;

  constructor(
    parts: {
      readonly engine: Engine;
      readonly store: ParameterStore;
      readonly sessions: SessionCache;
      readonly maxPositions: number;
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
    this.#step = resume?.step ?? 0;
    if (resume) {
      checkState(resume, this.#store.layout.groups, this.totalSteps);
      this.#store.write(resume.parameters);
    }
    const zeros = (size: number): DeviceTensor => this.#engine.zeros("float32", [size]);
    const restored = (values: HostParameters | undefined, name: string, size: number): DeviceTensor => {
      const data = values?.get(name);
      return data === undefined ? zeros(size) : this.#engine.upload({ type: "float32", shape: [size], data });
    };
    this.#groups = this.#store.layout.groups.map(({ name, size }) => ({
      name,
      size,
      grad: zeros(size),
      gradSpare: options.gradAccum > 1 ? zeros(size) : undefined,
      expAvg: restored(resume?.expAvg, name, size),
      expAvgSq: restored(resume?.expAvgSq, name, size),
      paramSpare: zeros(size),
      expAvgSpare: zeros(size),
      expAvgSqSpare: zeros(size),
    }));
  }

  /** Steps done so far. */
  get step(): number {
    return this.#step;
  }

  /**
   * Does the next optimizer step. On failure (a non-finite loss or norm, abort,
   * device error) the parameters are those before the step.
   * @throws TutelageError non-finite naming the step, aborted.
   */
  async next(): Promise<StepRecord> {
    invariant(!this.#disposed && this.#step < this.totalSteps, "a trainer with steps left");
    throwIfAborted(this.#options.signal, "training");
    const startedMs = performance.now();
    const micro = this.#order.microBatches(this.#step).map((indices) =>
      makeMicroBatch(
        indices.map((index) => {
          const row = this.#rows[index];
          invariant(row !== undefined, "data order stays inside the rows");
          return row;
        }),
        this.#options.batchSize,
        this.#maxPositions,
      ),
    );
    const tokens = micro.reduce((sum, batch) => sum + batch.lossTokens, 0);
    const lossSum = await this.#accumulate(micro);
    const lr =
      this.#options.learningRate *
      learningRateFactor(this.#options.scheduler, this.#step, this.totalSteps, this.#options.warmupSteps);
    const loss = lossSum / tokens;
    const gradNorm = await this.#update(tokens, lr, loss);
    this.#step++;
    const seconds = (performance.now() - startedMs) / 1000;
    const inputTokens = micro.reduce((sum, batch) => sum + batch.inputTokens, 0);
    return { step: this.#step, loss, gradNorm, lr, tokens, tokensPerSecond: inputTokens / seconds };
  }

  /** Gradients of the summed loss over all micro-batches into `grad`; returns that sum. */
  async #accumulate(micro: readonly MicroBatch[]): Promise<number> {
    let lossSum = 0;
    for (const [i, batch] of micro.entries()) {
      throwIfAborted(this.#options.signal, "training");
      const accumulate = i > 0;
      const lossPositions = bucketLossPositions(batch, batch.lossTokens, this.#sessions.blueprint.decoder.vocabSize);
      const session = await this.#sessions.train(batch.batch, batch.length, {
        accumulate,
        lossPositions,
        recompute: this.#options.gradientCheckpointing ?? false,
      });
      const feeds: Record<string, Tensor | DeviceTensor> = {
        ...this.#store.feeds(session),
        ...lossFeeds(batch, lossPositions),
      };
      const targets: Record<string, "host" | DeviceTensor> = { lossSum: "host" };
      for (const group of this.#groups) {
        if (accumulate) {
          invariant(group.gradSpare !== undefined, "accumulation has a spare gradient");
          feeds[`grad.${group.name}`] = group.grad;
          [group.grad, group.gradSpare] = [group.gradSpare, group.grad];
        }
        targets[`grad.${group.name}.out`] = group.grad;
      }
      const result = await session.run(feeds, targets); // GPU→CPU sync: the loss
      lossSum += only(result.host("lossSum"));
    }
    return lossSum;
  }

  async #update(tokens: number, lr: number, loss: number): Promise<number> {
    const session = await this.#sessions.adamw({
      weightDecay: this.#options.weightDecay,
      maxGradNorm: this.#options.maxGradNorm,
    });
    const t = this.#step + 1;
    const feeds: Record<string, Tensor | DeviceTensor> = {
      inverseTokens: scalar(1 / tokens),
      lr: scalar(lr),
      biasCorrection1: scalar(1 - ADAM_BETA1 ** t),
      biasCorrection2: scalar(1 - ADAM_BETA2 ** t),
    };
    const targets: Record<string, "host" | DeviceTensor> = { gradNorm: "host" };
    for (const group of this.#groups) {
      feeds[`param.${group.name}`] = this.#store.group(group.name);
      feeds[`grad.${group.name}`] = group.grad;
      feeds[`expAvg.${group.name}`] = group.expAvg;
      feeds[`expAvgSq.${group.name}`] = group.expAvgSq;
      targets[`param.${group.name}.out`] = group.paramSpare;
      targets[`expAvg.${group.name}.out`] = group.expAvgSpare;
      targets[`expAvgSq.${group.name}.out`] = group.expAvgSqSpare;
    }
    const result = await session.run(feeds, targets); // GPU→CPU sync: the norm
    const gradNorm = only(result.host("gradNorm"));
    if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
      throw new TutelageError(
        "non-finite",
        `training step ${t}: expected a finite loss and gradient norm, got loss ${loss} and norm ${gradNorm}. The step was not applied; try a lower learning rate, or check the data and weights for extreme values`,
        { details: { step: t, loss, gradNorm } },
      );
    }
    for (const group of this.#groups) {
      group.paramSpare = this.#store.swap(group.name, group.paramSpare);
      [group.expAvg, group.expAvgSpare] = [group.expAvgSpare, group.expAvg];
      [group.expAvgSq, group.expAvgSqSpare] = [group.expAvgSqSpare, group.expAvgSq];
    }
    return gradNorm;
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
    return { step: this.#step, parameters: await this.#store.read(), expAvg, expAvgSq };
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
