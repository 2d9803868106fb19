/**
 * @file A student small enough to reason about: it predicts a sum as `u[a] + w[b]`
 * and learns u and w by gradient descent, so that its answers and losses really
 * depend on what it was trained on, in which order, and from which weights.
 */
import { badInput, throwIfAborted } from "../../src/core/errors.ts";
import { hashString, Rng } from "../../src/core/rng.ts";
import type { EngineInfo } from "../../src/runtime/types.ts";
import type {
  GenerateOptions,
  Generation,
  PromptCompletion,
  ScoreName,
  ScoreRow,
  SimilarityKind,
  StepRecord,
  Student,
  TokenLoss,
  TrainOptions,
} from "../../src/student/types.ts";
import { termsOf, workedSum } from "./sums.ts";

const PROMPT = /^Q: (.*)\nA: $/;
const ENGINE: EngineInfo = { ep: "cpu", version: "linear 1", threads: 1 };
/** Loss of an answer that is no number, in nats. */
const NO_NUMBER_NATS = 20;

export interface LinearStudentOptions {
  readonly size?: number;
  readonly maxPositions?: number;
  /** Called at the start of every batch or step. */
  readonly onWork?: (what: "score" | "generate" | "train") => Promise<void> | void;
}

/** See the file's head. Parameters start at zero. */
export class LinearStudent implements Student {
  readonly engine = ENGINE;
  readonly parameters: { readonly total: number; readonly trainable: number };
  readonly maxPositions: number;
  readonly #u: Float32Array;
  readonly #w: Float32Array;
  readonly #onWork: LinearStudentOptions["onWork"];
  disposed = false;

  constructor(options: LinearStudentOptions = {}) {
    const size = options.size ?? 20;
    this.#u = new Float32Array(size);
    this.#w = new Float32Array(size);
    this.parameters = { total: 2 * size, trainable: 2 * size };
    this.maxPositions = options.maxPositions ?? 256;
    this.#onWork = options.onWork;
  }

  encode(
    row: PromptCompletion,
    options: { readonly truncate?: boolean } = {},
  ): { id: string; ids: Int32Array; completionTokens: number } {
    let ids = Int32Array.from(Array.from(row.prompt + row.completion, (c) => c.codePointAt(0) ?? 0).concat(0));
    if (ids.length > this.maxPositions) {
      if (options.truncate !== true)
        badInput(`row ${row.id ?? ""}`, `at most ${this.maxPositions} tokens`, String(ids.length));
      ids = ids.slice(-this.maxPositions);
    }
    return { id: row.id ?? "", ids, completionTokens: Array.from(row.completion).length + 1 };
  }

  async score(
    rows: readonly PromptCompletion[],
    scores: readonly ScoreName[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ScoreRow[]> {
    await this.#work("score", options.signal);
    return rows.map((row) => {
      const tokens = this.encode(row).completionTokens;
      const loss = this.#loss(row);
      const known: Partial<Record<ScoreName, number>> = { loss, lossSum: loss * tokens };
      // Further scores mean nothing here, but each depends on its name and on the row.
      const other = (name: ScoreName): number => (hashString(name + row.prompt + row.completion) % 1000) / 1000;
      return {
        id: row.id ?? "",
        tokens,
        ...Object.fromEntries(scores.map((name) => [name, known[name] ?? other(name)])),
      };
    });
  }

  /** Every character is a token and bears the same loss, but the number after #### twice as much. */
  async tokenLosses(row: PromptCompletion, options: { readonly signal?: AbortSignal } = {}): Promise<TokenLoss[]> {
    await this.#work("score", options.signal);
    const texts = [...Array.from(row.completion), ""];
    const heavyFrom = row.completion.includes("#### ") ? row.completion.indexOf("#### ") + 5 : texts.length;
    const weights = texts.map((_, i) => (i >= heavyFrom ? 2 : 1));
    const total = weights.reduce((a, b) => a + b, 0);
    const lossSum = this.#loss(row) * texts.length;
    return texts.map((text, i) => ({
      text: text || "<end>",
      lossNats: (lossSum * (weights[i] ?? 1)) / total,
      end: text === "",
    }));
  }

  /** (a, b, prediction, its square). */
  async meanStates(
    rows: readonly PromptCompletion[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Float64Array[]> {
    await this.#work("score", options.signal);
    return rows.map((row) => {
      const terms = termsOf(PROMPT.exec(row.prompt)?.[1] ?? "") ?? [0, 0];
      const sum = this.#predict(terms);
      return Float64Array.of(...terms, sum, sum * sum);
    });
  }

  /** Of (a, b, 1), or of those times the error of the prediction. */
  async innerProducts(
    rows: readonly PromptCompletion[],
    kind: SimilarityKind,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Float64Array> {
    await this.#work("score", options.signal);
    const vectors = rows.map((row) => {
      const [a, b] = termsOf(PROMPT.exec(row.prompt)?.[1] ?? "") ?? [0, 0];
      const pair = this.#pair(row);
      const error = kind === "hidden" ? 1 : pair === undefined ? NO_NUMBER_NATS : this.#predict(pair[0]) - pair[1];
      return [a * error, b * error, error] as const;
    });
    return Float64Array.from(vectors.flatMap(([a, b, c]) => vectors.map(([x, y, z]) => a * x + b * y + c * z)));
  }

  async generate(prompts: readonly string[], options: GenerateOptions): Promise<Generation[]> {
    await this.#work("generate", options.signal);
    const generations = prompts.map((prompt) => {
      const terms = termsOf(PROMPT.exec(prompt)?.[1] ?? "");
      const completion =
        terms === undefined
          ? ""
          : workedSum(terms[0], Math.round(this.#predict(terms)) - terms[0]).slice(0, options.maxNewTokens);
      return {
        completion,
        ids: Int32Array.from(completion, (c) => c.codePointAt(0) ?? 0),
        tokens: completion.length + 1,
        finishReason: "stop" as const,
      };
    });
    for (const [prompt, { completion }] of generations.entries()) {
      // Every character is a token; how sure it is of one means nothing here.
      for (const text of [...Array.from(completion), ""]) {
        throwIfAborted(options.signal, "generate");
        const token = { text: text || "<end>", probability: text === "" ? 1 : 0.75, end: text === "" };
        const other = { text: "?", probability: 1 - token.probability, end: false };
        await options.onToken?.({ prompt, ...token, alternatives: [token, other] });
      }
    }
    return generations;
  }

  async *train(rows: readonly PromptCompletion[], options: TrainOptions): AsyncGenerator<StepRecord, void, void> {
    const rng = new Rng(options.seed);
    const perStep = options.batchSize * options.gradAccum;
    const total = (options.epochs ?? 1) * Math.ceil(rows.length / perStep);
    let step = 0;
    for (let epoch = 0; step < total; epoch++) {
      const order = options.shuffle ? rng.fork(`epoch ${epoch}`).shuffle(rows) : rows;
      for (let start = 0; start < order.length && step < total; start += perStep) {
        await this.#work("train", options.signal);
        const batch = order.slice(start, start + perStep);
        let loss = 0;
        let norm = 0;
        let tokens = 0;
        for (const row of batch) {
          const pair = this.#pair(row);
          tokens += this.encode(row).completionTokens;
          if (pair === undefined) continue;
          const [[a, b], target] = pair;
          const error = this.#predict([a, b]) - target;
          loss += this.#loss(row) / batch.length;
          norm += error * error;
          this.#u[a] = (this.#u[a] ?? 0) - options.learningRate * error;
          this.#w[b] = (this.#w[b] ?? 0) - options.learningRate * error;
        }
        step++;
        yield { step, loss, gradNorm: Math.sqrt(norm), lr: options.learningRate, tokens, tokensPerSecond: 1000 };
      }
    }
  }

  async reset(): Promise<void> {
    this.#u.fill(0);
    this.#w.fill(0);
  }

  async snapshot(): Promise<ReadonlyMap<string, Float32Array>> {
    return new Map([
      ["u", this.#u.slice()],
      ["w", this.#w.slice()],
    ]);
  }

  async restore(parameters: ReadonlyMap<string, Float32Array>): Promise<void> {
    for (const [name, target] of [
      ["u", this.#u],
      ["w", this.#w],
    ] as const) {
      const values = parameters.get(name);
      if (values?.length !== target.length)
        badInput(`parameter ${name}`, `${target.length} values`, String(values?.length));
      target.set(values);
    }
  }

  async dispose(): Promise<void> {
    this.disposed = true;
  }

  async #work(what: "score" | "generate" | "train", signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal, what);
    await this.#onWork?.(what);
    throwIfAborted(signal, what);
  }

  #predict([a, b]: readonly [number, number]): number {
    return (this.#u[a] ?? 0) + (this.#w[b] ?? 0);
  }

  #pair(row: PromptCompletion): readonly [readonly [number, number], number] | undefined {
    const terms = termsOf(PROMPT.exec(row.prompt)?.[1] ?? "");
    const target = /#### (-?\d+)/.exec(row.completion)?.[1];
    return terms === undefined || target === undefined ? undefined : [terms, Number(target)];
  }

  /** A Gaussian negative log-likelihood, `(prediction − target)² / 2`, and a constant where there is no target. */
  #loss(row: PromptCompletion): number {
    const pair = this.#pair(row);
    return pair === undefined ? NO_NUMBER_NATS : (this.#predict(pair[0]) - pair[1]) ** 2 / 2;
  }
}
