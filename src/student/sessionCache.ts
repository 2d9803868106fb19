/**
 * @file Sessions of one student, made when first needed and kept: one per graph kind
 * and static shape. Owns them.
 */
import { encodeModel } from "../onnx/model.ts";
import { pruneGraph } from "../onnx/neededNodes.ts";
import type { Graph } from "../onnx/types.ts";
import type { TokenScore } from "../nn/losses.ts";
import { buildAdamW } from "../optim/adamw.ts";
import { buildSquareSum, buildUpdate } from "../optim/adamwPieces.ts";
import type { Engine, ExecutionProvider, Session, SessionOptions } from "../runtime/types.ts";
import {
  buildDecodeGraph,
  buildGenerationGraph,
  buildPrefillGraph,
  buildRecomputeGraph,
  type StepChoice,
  type TokenChoice,
} from "./generationGraphs.ts";
import { buildGradNormGraph, gradNormRows } from "./gradNormGraph.ts";
import {
  buildScoreGraph,
  buildTokenLossGraph,
  buildTrainGraph,
  type StudentBlueprint,
  type TrainGraphOptions,
} from "./graphs.ts";
import { LengthBuckets } from "./lengthBuckets.ts";
import { buildFeatureGraph, buildGradientProductGraph, type BlockShape } from "./similarityGraphs.ts";
import type { SimilarityKind } from "./types.ts";

/**
 * Elements of a piece of the optimizer's vectors: between runs of forward and backward of 3.1 M parameters, steps in
 * pieces of 64 k to 512 k took 25 ms with two threads, in one graph 44 ms; whole steps were shortest with this size.
 */
export const PIECE_ELEMENTS = 256 * 1024;
/** Of a piece whose squares are summed: float32 sums over more lose the norm's seventh digit. */
export const SUM_ELEMENTS = 128 * 1024;

export class SessionCache {
  readonly #engine: Engine;
  readonly #blueprint: StudentBlueprint;
  readonly #sessions = new Map<string, Promise<Session>>();
  readonly #lengths = new Map<string, LengthBuckets>();

  get ep(): ExecutionProvider {
    return this.#engine.ep;
  }

  get blueprint(): StudentBlueprint {
    return this.#blueprint;
  }

  constructor(engine: Engine, blueprint: StudentBlueprint) {
    this.#engine = engine;
    this.#blueprint = blueprint;
  }

  #get(name: string, build: () => Graph, options: Partial<SessionOptions> = {}): Promise<Session> {
    const known = this.#sessions.get(name);
    if (known !== undefined) return known;
    const graph = pruneGraph(build());
    const made = this.#engine.createSession(encodeModel(graph), { name, ...options });
    this.#sessions.set(name, made);
    // A failed creation is not remembered: the next call tries again and reports its own error.
    made.catch(() => this.#sessions.delete(name));
    return made;
  }

  /** The lengths that graphs of one kind are made for where each size needs its own. */
  lengths(kind: "train" | "score", maxPositions: number): LengthBuckets {
    const known = this.#lengths.get(kind) ?? new LengthBuckets(maxPositions);
    this.#lengths.set(kind, known);
    return known;
  }

  score(batch: number | "any", length: number, scores: readonly TokenScore[]): Promise<Session> {
    return this.#get(`score ${batch}x${length} ${scores.join()}`, () =>
      buildScoreGraph(this.#blueprint, batch, length, scores),
    );
  }

  tokenLosses(batch: number, length: number): Promise<Session> {
    return this.#get(`tokenLosses ${batch}x${length}`, () => buildTokenLossGraph(this.#blueprint, batch, length));
  }

  gradNorm(batch: number, length: number): Promise<Session> {
    return this.#get(`gradNorm ${batch}x${length}`, () => buildGradNormGraph(this.#blueprint, batch, length));
  }

  /** Rows of one `gradNorm` batch at most. */
  gradNormRows(length: number): number {
    return gradNormRows(this.#blueprint, length);
  }

  features(shape: BlockShape, kind: SimilarityKind): Promise<Session> {
    const { batch, length, positions } = shape;
    return this.#get(`features ${kind} ${batch}x${length} ${positions}`, () =>
      buildFeatureGraph(this.#blueprint, shape, kind),
    );
  }

  gradientProducts(a: BlockShape, b: BlockShape): Promise<Session> {
    return this.#get(`gradientProducts ${a.batch}x${a.positions} ${b.batch}x${b.positions}`, () =>
      buildGradientProductGraph(this.#blueprint, a, b),
    );
  }

  train(batch: number | "any", length: number, options: TrainGraphOptions): Promise<Session> {
    const { accumulate, lossPositions, recompute = false, precision = "float32" } = options;
    const name = `train ${batch}x${length}${lossPositions === undefined ? "" : ` loss ${lossPositions}`}${accumulate ? " accumulate" : ""}${recompute ? " recompute" : ""}${precision === "float32" ? "" : ` ${precision}`}`;
    return this.#get(name, () => buildTrainGraph(this.#blueprint, batch, length, options));
  }

  adamw(options: { readonly weightDecay: number; readonly maxGradNorm: number }): Promise<Session> {
    return this.#get(`adamw ${options.weightDecay} ${options.maxGradNorm}`, () =>
      buildAdamW(this.#blueprint.layout.groups, options),
    );
  }

  /** The two graphs of AdamW in pieces (`optim/adamwPieces.ts`). */
  async adamwPieces(): Promise<{ readonly squareSum: Session; readonly update: Session }> {
    return {
      squareSum: await this.#get("squareSum", () => buildSquareSum(), { pieceElements: SUM_ELEMENTS }),
      update: await this.#get("adamwUpdate", () => buildUpdate(), { pieceElements: PIECE_ELEMENTS }),
    };
  }

  prefill(batch: number, length: number, positionLimit: number, choice: StepChoice = "logits"): Promise<Session> {
    return this.#get(`prefill ${batch}x${length} ${positionLimit} ${choice}`, () =>
      buildPrefillGraph(this.#blueprint, batch, length, positionLimit, choice),
    );
  }

  decode(batch: number, positionLimit: number, choice: StepChoice = "logits"): Promise<Session> {
    return this.#get(`decode ${batch} ${positionLimit} ${choice}`, () =>
      buildDecodeGraph(this.#blueprint, batch, positionLimit, choice),
    );
  }

  recompute(batch: number, length: number): Promise<Session> {
    return this.#get(`recompute ${batch}x${length}`, () => buildRecomputeGraph(this.#blueprint, batch, length));
  }

  generation(
    batch: number,
    length: number,
    positionLimit: number,
    choice: TokenChoice,
    eosTokenIds: readonly number[],
  ): Promise<Session> {
    return this.#get(`generate ${batch}x${length} ${positionLimit} ${choice} ${eosTokenIds.join()}`, () =>
      buildGenerationGraph(this.#blueprint, batch, length, positionLimit, choice, eosTokenIds),
    );
  }

  async dispose(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of sessions)
      await session.then(
        (made) => made.dispose(),
        () => undefined,
      );
  }
}
