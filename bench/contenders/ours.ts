/**
 * @file This project as a contender: the trainer and scorer that users get, on one
 * provider, with a clock around ONNX Runtime that says what a step is made of.
 */
import { Rng } from "../../src/core/rng.ts";
import { NO_LORA } from "../../src/nn/lora.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeModel } from "../../src/onnx/model.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine, ExecutionProvider } from "../../src/runtime/types.ts";
import { weightsInMemory } from "../../src/student/baseWeights.ts";
import { layoutParameters } from "../../src/student/parameterLayout.ts";
import { ParameterStore } from "../../src/student/parameterStore.ts";
import { scoreRows } from "../../src/student/score.ts";
import { SessionCache } from "../../src/student/sessionCache.ts";
import { Trainer } from "../../src/student/trainer.ts";
import { GEMM_SIZE, type Contender, type StepParts } from "../contender.ts";
import { decoderOf, rowsOf, TRAIN_OPTIONS, weightsOf, type BenchModel } from "../models.ts";
import { clockOnnxRuntime, type Clocked } from "../ortClock.ts";

/** @param threads 0: the provider's own choice. */
export async function openOurs(model: BenchModel, ep: ExecutionProvider, threads = 0): Promise<Contender> {
  const clock = clockOnnxRuntime();
  const engine = await createEngine(ep, threads === 0 ? {} : { threads });
  const decoder = decoderOf(model);
  const layout = layoutParameters(decoder, NO_LORA, "full");
  const blueprint = { decoder, lora: NO_LORA, layout };
  const parts = {
    engine,
    store: await ParameterStore.create(engine, layout, weightsInMemory(new Map()), weightsOf(decoder)),
    sessions: new SessionCache(engine, blueprint),
    maxPositions: model.T,
  };
  const rows = rowsOf(model);
  const scoreParts = { ...parts, emptyPrompt: [] };
  const trainer = new Trainer(parts, rows, { ...TRAIN_OPTIONS, batchSize: model.B });
  const gemm = await openGemm(engine);
  const { info } = engine;
  return {
    description: `${info.version} ${ep}${info.adapter === undefined ? `, ${info.threads} thread${info.threads === 1 ? "" : "s"}` : `, ${info.adapter}`}`,
    work: {
      step: () => trainer.next(),
      score: () => scoreRows(scoreParts, rows, ["loss"], { batchSize: model.B }),
      gemm,
    },
    step: () => trainer.next(),
    startParts: () => void clock.take(),
    takeParts: (ms, steps) => partsOf(clock.take(), ms, steps),
  };
}

/** One product of square matrices that stay on the device; a single number is read back, so that the product is done. */
async function openGemm(engine: Engine): Promise<() => Promise<unknown>> {
  const g = new GraphBuilder("gemm");
  const shape = [GEMM_SIZE, GEMM_SIZE];
  const product = g.gemm(g.input("a", "float32", shape), g.input("b", "float32", shape));
  g.output(product, "product");
  g.output(g.slice(product, [0, 0], [1, 1], [0, 1]), "corner");
  const session = await engine.createSession(encodeModel(g.build()), { name: "gemm" });
  const rng = new Rng(3);
  const matrix = () =>
    engine.upload({ type: "float32", shape, data: Float32Array.from({ length: GEMM_SIZE ** 2 }, () => rng.normal()) });
  const feeds = { a: matrix(), b: matrix() };
  const outputs = { product: engine.zeros("float32", shape), corner: "host" } as const;
  return () => session.run(feeds, outputs);
}

/** The part of a step that each of its graphs belongs to. */
const PART_OF: ReadonlyMap<string, "trainGraph" | "optimizer"> = new Map([
  ["train", "trainGraph"],
  ["squareSum", "optimizer"],
  ["adamwUpdate", "optimizer"],
  ["adamw", "optimizer"],
]);

/** The parts of one of `steps` steps that took `ms` in all; what no clock ran for is JavaScript. */
function partsOf({ graphs, copies }: Clocked, ms: number, steps: number): StepParts {
  const parts = { trainGraph: 0, optimizer: 0, copies: copies / steps };
  for (const [name, graphMs] of graphs) {
    const part = PART_OF.get(name);
    if (part === undefined) throw new Error(`a step runs the graph '${name}', which the bench knows no part for`);
    parts[part] += graphMs / steps;
  }
  return { ...parts, javaScript: ms / steps - parts.trainGraph - parts.optimizer - parts.copies };
}
