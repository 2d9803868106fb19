/**
 * @file The start-up test of a device: one tiny training step (a Llama of one layer,
 * gradient graph and AdamW) on it and on WASM must agree before its numbers are believed.
 */
import { Rng } from "../core/rng.ts";
import { parseDecoder } from "../nn/families.ts";
import { NO_LORA } from "../nn/lora.ts";
import { encodeModel } from "../onnx/model.ts";
import { elementCount } from "../onnx/shapes.ts";
import type { Graph, Tensor } from "../onnx/types.ts";
import { buildAdamW } from "../optim/adamw.ts";
import { selfTest, type SelfTestCase } from "../runtime/selfTest.ts";
import type { Engine } from "../runtime/types.ts";
import { buildTrainGraph } from "./graphs.ts";
import { layoutParameters } from "./parameterLayout.ts";

const CONFIG = {
  model_type: "llama",
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 8,
  vocab_size: 24,
  max_position_embeddings: 8,
  tie_word_embeddings: true,
};
const BATCH = 2;
const LENGTH = 8;
/** Relative L2 error of an output; two orders above what right devices show, far below what wrong kernels do. */
const TOLERANCE = 1e-2;

/** Feeds for every input of a graph: small random floats, token ids, ones for weights and scalars. */
function feedsOf(graph: Graph, rng: Rng): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const { name, type, shape } of graph.inputs) {
    const dims = shape.map(Number);
    const size = elementCount(dims);
    const own = rng.fork(name);
    const data =
      type === "int32"
        ? Int32Array.from({ length: size }, () => own.integer(0, CONFIG.vocab_size - 1))
        : Float32Array.from({ length: size }, () =>
            name === "weights" || size === 1 ? 0.5 : name.startsWith("expAvgSq") ? own.uniform() : 0.3 * own.normal(),
          );
    feeds[name] = { type, shape: dims, data };
  }
  return feeds;
}

function makeCase(graph: Graph, rng: Rng): SelfTestCase {
  return {
    name: graph.name,
    model: encodeModel(graph),
    feeds: feedsOf(graph, rng),
    outputs: graph.outputs.map((output) => output.name),
    tolerance: TOLERANCE,
  };
}

/**
 * Compares `candidate` with `reference` on the step; returns one sentence with what was measured.
 * @throws TutelageError device-refused with the figures when they disagree.
 */
export async function deviceSelfTest(candidate: Engine, reference: Engine): Promise<string> {
  const decoder = parseDecoder(CONFIG, "self-test");
  const layout = layoutParameters(decoder, NO_LORA, "full");
  const rng = new Rng(1);
  const train = buildTrainGraph({ decoder, lora: NO_LORA, layout }, BATCH, LENGTH, { accumulate: false });
  const adamw = buildAdamW(layout.groups, { weightDecay: 0.1, maxGradNorm: 1 });
  const { worst, durationMs } = await selfTest(candidate, reference, [makeCase(train, rng), makeCase(adamw, rng)]);
  return `a training step agrees with ${reference.ep} to ${worst.relativeError.toExponential(1)} relative (${(durationMs / 1000).toFixed(1)} s)`;
}
