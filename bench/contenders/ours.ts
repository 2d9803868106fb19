/**
 * @file This project as a contender: the trainer and scorer that users get, on one
 * provider; and its graphs alone, run straight on the provider with every tensor
 * already in place, which shows what the code around them costs.
 */
import { platform } from "#platform";
import { invariant } from "../../src/core/errors.ts";
import { Rng } from "../../src/core/rng.ts";
import { NO_LORA } from "../../src/nn/lora.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import { encodeModel } from "../../src/onnx/model.ts";
import { elementCount, staticShape } from "../../src/onnx/shapes.ts";
import type { Graph, Tensor, TypedArray, Value } from "../../src/onnx/types.ts";
import { buildAdamW, type ParameterGroup } from "../../src/optim/adamw.ts";
import { buildSquareSum, buildUpdate } from "../../src/optim/adamwPieces.ts";
import type { Backend } from "../../src/runtime/backend.ts";
import { CpuBackend } from "../../src/runtime/cpuBackend.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine, ExecutionProvider, SessionOptions } from "../../src/runtime/types.ts";
import { openWasmBackend } from "../../src/runtime/wasmBackend.ts";
import { weightsInMemory } from "../../src/student/baseWeights.ts";
import { anyShapeFeeds, makeMicroBatch } from "../../src/student/batches.ts";
import { buildTrainGraph } from "../../src/student/graphs.ts";
import { layoutParameters } from "../../src/student/parameterLayout.ts";
import { ParameterStore } from "../../src/student/parameterStore.ts";
import { scoreRows } from "../../src/student/score.ts";
import { inPieces, scalar } from "../../src/student/optimizerStep.ts";
import { PIECE_ELEMENTS, SessionCache, SUM_ELEMENTS } from "../../src/student/sessionCache.ts";
import { Trainer } from "../../src/student/trainer.ts";
import { GEMM_SIZE, type Contender } from "../contender.ts";
import { decoderOf, rowsOf, STEP, TRAIN_OPTIONS, weightsOf, type BenchModel } from "../models.ts";

/** @param threads 0: the provider's own choice. */
export async function openOurs(model: BenchModel, ep: ExecutionProvider, threads = 0): Promise<Contender> {
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
  const graphs: Contender["work"] = {};
  if (ep !== "webgpu") {
    const backend = await backendOf(ep, engine.info.threads);
    const batch = anyShapeFeeds(makeMicroBatch(rows, model.B, model.T, "exact"));
    const train = buildTrainGraph(blueprint, "any", model.T, { accumulate: false });
    Object.assign(graphs, {
      trainGraph: await alone(backend, train, {}, batch),
      optimizerGraph: await (inPieces(ep, layout.groups)
        ? piecesAlone(backend, layout.groups)
        : alone(backend, buildAdamW(layout.groups, STEP))),
      copies: await copiesAlone(backend, [batch, Object.fromEntries(SCALARS.map((name) => [name, scalar(0.5)]))]),
    });
  }
  const { info } = engine;
  return {
    description: `${info.version} ${ep}${info.adapter === undefined ? `, ${info.threads} thread${info.threads === 1 ? "" : "s"}` : `, ${info.adapter}`}`,
    work: {
      step: () => trainer.next(),
      score: () => scoreRows(scoreParts, rows, ["loss"], { batchSize: model.B }),
      gemm,
      ...graphs,
    },
    step: () => trainer.next(),
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

async function backendOf(ep: "cpu" | "wasm", threads: number): Promise<Backend<unknown>> {
  if (ep === "wasm") return openWasmBackend(platform, threads);
  const ort = await platform.loadOrtNode();
  invariant(!("reason" in ort), "onnxruntime-node was loaded before");
  return new CpuBackend(ort, platform.ortVersion, threads, platform.processPeakBytes);
}

/** Runs `graph` on tensors that are made once: no feed, no result, no check, no queue. */
async function alone(
  backend: Backend<unknown>,
  graph: Graph,
  options: Partial<SessionOptions> = {},
  given: Readonly<Record<string, Tensor>> = {},
): Promise<() => Promise<unknown>> {
  const session = await backend.createSession(encodeModel(graph), { name: graph.name, ...options });
  const store = (value: Value, data?: TypedArray) => {
    const shape = given[value.name]?.shape ?? staticShape(value.shape, value.name);
    return {
      name: value.name,
      stored: { type: value.type, shape, storage: backend.allocate(value.type, shape, data) },
    };
  };
  const feeds = graph.inputs.map((value) => store(value, given[value.name]?.data ?? plausible(value)));
  const targets = graph.outputs.map((value) => store(value));
  return () => session.run(feeds, targets);
}

/** The optimizer as `optimizerStep` runs it on cpu, group by group in pieces; the sums of squares are read back, a number a piece. */
async function piecesAlone(
  backend: Backend<unknown>,
  groups: readonly ParameterGroup[],
): Promise<() => Promise<unknown>> {
  const open = (graph: Graph, pieceElements: number) =>
    backend.createSession(encodeModel(graph), {
      name: graph.name,
      manySizes: true,
      pieceElements,
    });
  const [sum, update] = [buildSquareSum(), buildUpdate()];
  const [sumSession, updateSession] = [await open(sum, SUM_ELEMENTS), await open(update, PIECE_ELEMENTS)];
  const bound = groups.map(({ size }) => {
    const store = ({ name, type, shape }: Value) => {
      const value = { name, type, shape: shape.map((dim) => (typeof dim === "string" ? size : dim)) };
      return {
        name,
        stored: { type, shape: value.shape, storage: backend.allocate(type, value.shape, plausible(value)) },
      };
    };
    const updateFeeds = update.inputs.map(store);
    const grad = updateFeeds.find(({ name }) => name === "grad");
    invariant(grad !== undefined, "the update reads the gradient");
    const sumFeeds = [grad, ...sum.inputs.filter(({ name }) => name !== "grad").map(store)];
    return { sumFeeds, updateFeeds, targets: update.outputs.map(store) };
  });
  return async () => {
    for (const { sumFeeds } of bound) await sumSession.run(sumFeeds, [{ name: "sum" }]);
    for (const { updateFeeds, targets } of bound) await updateSession.run(updateFeeds, targets);
  };
}

/** What the optimizer is told of a step besides the gradients. */
const SCALARS = ["inverseTokens", "lr", "biasCorrection1", "biasCorrection2"];

/** One run a set of feeds, from the host, of a graph that drops them all and gives one number back. */
async function copiesAlone(
  backend: Backend<unknown>,
  sets: readonly Readonly<Record<string, Tensor>>[],
): Promise<() => Promise<unknown>> {
  const runs: (() => Promise<unknown>)[] = [];
  for (const given of sets) {
    const g = new GraphBuilder("copies");
    for (const [name, { type, shape }] of Object.entries(given)) g.input(name, type, shape);
    g.output(g.mul(g.input("one", "float32", [1]), g.float(2, [1])), "number");
    const session = await backend.createSession(encodeModel(g.build()), { name: "copies" });
    const feeds = Object.entries({ ...given, one: scalar(1) }).map(([name, tensor]) => ({ name, tensor }));
    runs.push(() => session.run(feeds, [{ name: "number" }]));
  }
  return async () => {
    for (const run of runs) await run();
  };
}

/** Finite data for an input of a train or optimizer graph: their speed does not depend on it otherwise. */
function plausible({ type, shape, name }: Value): TypedArray {
  const length = elementCount(staticShape(shape, name));
  const rng = new Rng(4).fork(name);
  if (type === "int64") return new BigInt64Array(length);
  if (type !== "float32") return new Int32Array(length).map(() => rng.integer(0, 63));
  return Float32Array.from({ length }, () => (length === 1 ? 0.5 : Math.abs(0.02 * rng.normal())));
}
