/**
 * @file The same model and step in TensorFlow.js on its WASM backend, written for speed:
 * matrix products transpose their operands explicitly, because the backend's own
 * transposition flags (which its gradients use) leave XNNPACK for a plain loop; token
 * ids are one-hot products, because it has no kernel for the gradient of a gather.
 */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import plainBinary from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url";
import simdBinary from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url";
import threadedBinary from "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url";
import { ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON } from "../../src/optim/adamw.ts";
import { GEMM_SIZE, type Contender, type StepResult } from "../contender.ts";
import { batchOf, decoderOf, RMS_EPSILON, rotaryOf, STEP, weightsOf, type BenchModel } from "../models.ts";

interface Parameter {
  readonly name: string;
  readonly decay: boolean;
  value: tf.Tensor;
  expAvg: tf.Tensor;
  expAvgSq: tf.Tensor;
}

export async function openTensorflow(model: BenchModel): Promise<Contender> {
  setWasmPaths({
    "tfjs-backend-wasm.wasm": plainBinary,
    "tfjs-backend-wasm-simd.wasm": simdBinary,
    "tfjs-backend-wasm-threaded-simd.wasm": threadedBinary,
  });
  if (!(await tf.setBackend("wasm"))) throw new Error("TensorFlow.js has no wasm backend here");
  await tf.ready();
  const decoder = decoderOf(model);
  const weights = weightsOf(decoder);
  const parameters = decoder.parameters.map(({ name, shape, decay }): Parameter => ({
    name,
    decay,
    value: tf.tensor(weights.get(name) ?? [], [...shape]),
    expAvg: tf.zeros([...shape]),
    expAvgSq: tf.zeros([...shape]),
  }));
  const batch = batchOf(model);
  // Through int32: asked for float32, the wasm kernel of 4.22 writes the bits of an integer 1.
  const oneHot = (ids: Int32Array): tf.Tensor2D =>
    tf.cast<tf.Tensor2D>(tf.oneHot(tf.tensor1d(ids, "int32"), model.V) as tf.Tensor2D, "float32");
  const tables = rotaryOf(model);
  const rotaryShape = [1, model.T, 1, model.D / model.N / 2];
  const constants: Constants = {
    ids: oneHot(batch.ids),
    targets: oneHot(batch.targets),
    cos: tf.tensor(tables.cos, rotaryShape),
    sin: tf.tensor(tables.sin, rotaryShape),
    mask: tf.tensor(
      Float32Array.from({ length: model.T ** 2 }, (_, i) => (i % model.T > Math.floor(i / model.T) ? -1e9 : 0)),
      [1, 1, model.T, model.T],
    ),
  };
  const lossAndGradients = tf.valueAndGrads((...values: tf.Tensor[]) => {
    const byName = new Map(parameters.map(({ name }, i) => [name, values[i]] as const));
    return meanLoss(model, (name) => present(byName.get(name)), constants);
  });

  let t = 0;
  const step = async (): Promise<StepResult> => {
    t++;
    const [value, gradNorm] = tf.tidy(() => {
      const { value: loss, grads } = lossAndGradients(parameters.map((parameter) => parameter.value));
      const norm = tf.sqrt(tf.addN(grads.map((gradient) => tf.sum(tf.square(gradient)))));
      const clip = tf.minimum(1, tf.div(STEP.maxGradNorm, tf.add(norm, 1e-6)));
      grads.forEach((gradient, i) => update(present(parameters[i]), tf.mul(gradient, clip), t));
      return [loss, norm] as const;
    });
    const [[loss = NaN], [norm = NaN]] = [await value.data(), await gradNorm.data()];
    tf.dispose([value, gradNorm]);
    return { loss, gradNorm: norm };
  };
  const square = () =>
    tf.tensor2d(
      Float32Array.from({ length: GEMM_SIZE ** 2 }, (_, i) => Math.sin(i)),
      [GEMM_SIZE, GEMM_SIZE],
    );
  const [a, b] = [square(), square()];
  const threads = await threadCount();
  return {
    description: `TensorFlow.js wasm, ${threads} thread${threads === 1 ? "" : "s"}`,
    work: {
      step,
      gemm: async () => {
        const product = tf.matMul(a, b);
        await tf.slice(product, [0, 0], [1, 1]).data();
        product.dispose();
      },
    },
    step,
  };
}

async function threadCount(): Promise<number> {
  return (await tf.env().getAsync("WASM_HAS_MULTITHREAD_SUPPORT")) === true ? navigator.hardwareConcurrency : 1;
}

/** One AdamW step of one parameter, in place of its old tensors. */
function update(parameter: Parameter, gradient: tf.Tensor, t: number): void {
  const { value, expAvg, expAvgSq, decay } = parameter;
  const m = tf.add(tf.mul(expAvg, ADAM_BETA1), tf.mul(gradient, 1 - ADAM_BETA1));
  const v = tf.add(tf.mul(expAvgSq, ADAM_BETA2), tf.mul(tf.square(gradient), 1 - ADAM_BETA2));
  const denominator = tf.add(tf.sqrt(v), ADAM_EPSILON * Math.sqrt(1 - ADAM_BETA2 ** t));
  const stepSize = (STEP.learningRate * Math.sqrt(1 - ADAM_BETA2 ** t)) / (1 - ADAM_BETA1 ** t);
  const decayed = decay ? tf.mul(value, 1 - STEP.learningRate * STEP.weightDecay) : value;
  parameter.value = tf.keep(tf.sub(decayed, tf.mul(tf.div(m, denominator), stepSize)));
  parameter.expAvg = tf.keep(m);
  parameter.expAvgSq = tf.keep(v);
  tf.dispose([value, expAvg, expAvgSq]);
}

interface Constants {
  /** One-hot ids and targets [B·T, V]. */
  readonly ids: tf.Tensor2D;
  readonly targets: tf.Tensor2D;
  readonly cos: tf.Tensor;
  readonly sin: tf.Tensor;
  readonly mask: tf.Tensor;
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a value that was prepared is missing");
  return value;
}

const swapped = (x: tf.Tensor): tf.Tensor => tf.transpose(x, x.shape.length === 2 ? [1, 0] : [0, 2, 1]);

/** `a · b`, both plain matrices or batches [.., M, K] · [.., K, N]; every product of its gradient is a plain one too. */
const product = tf.customGrad((a: unknown, b: unknown, save: unknown) => {
  const [left, right] = [a as tf.Tensor, b as tf.Tensor];
  (save as tf.GradSaveFunc)([left, right]);
  return {
    value: tf.matMul(left, right),
    gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => [
      tf.matMul(dy, swapped(present(saved[1]))),
      tf.matMul(swapped(present(saved[0])), dy),
    ],
  };
});

/** `x · wᵀ` for x [M, in], w [out, in]. */
const linear = tf.customGrad((x: unknown, w: unknown, save: unknown) => {
  const [input, weight] = [x as tf.Tensor, w as tf.Tensor];
  (save as tf.GradSaveFunc)([input, weight]);
  return {
    value: tf.matMul(input, swapped(weight)),
    gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => [
      tf.matMul(dy, present(saved[1])),
      tf.matMul(swapped(dy), present(saved[0])),
    ],
  };
});

/** Mean negative log-likelihood of the targets. */
function meanLoss(
  { L, D, N, K, B, T }: BenchModel,
  weight: (name: string) => tf.Tensor,
  { ids, targets, cos, sin, mask }: Constants,
): tf.Scalar {
  const [M, H, G] = [B * T, D / N, N / K];
  const rmsNorm = (x: tf.Tensor, name: string): tf.Tensor => {
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), RMS_EPSILON));
    return tf.mul(tf.mul(x, inverse), weight(name));
  };
  /** x [B·T, heads·H] → [B, T, heads, H], rotated. */
  const rotary = (x: tf.Tensor, heads: number): tf.Tensor => {
    const [low, high] = tf.split(tf.reshape(x, [B, T, heads, H]), 2, -1) as [tf.Tensor, tf.Tensor];
    return tf.concat([tf.sub(tf.mul(low, cos), tf.mul(high, sin)), tf.add(tf.mul(high, cos), tf.mul(low, sin))], -1);
  };
  const embedding = weight("model.embed_tokens.weight");
  let x = product(ids, embedding);
  for (let i = 0; i < L; i++) {
    const layer = `model.layers.${i}`;
    const h = rmsNorm(x, `${layer}.input_layernorm.weight`);
    const q = rotary(linear(h, weight(`${layer}.self_attn.q_proj.weight`)), N);
    const k = rotary(linear(h, weight(`${layer}.self_attn.k_proj.weight`)), K);
    const v = tf.reshape(linear(h, weight(`${layer}.self_attn.v_proj.weight`)), [B, T, K, H]);
    // The query heads of a key head are folded into its rows.
    const queries = tf.reshape(tf.transpose(tf.mul(q, 1 / Math.sqrt(H)), [0, 2, 1, 3]), [B * K, G * T, H]);
    const keys = tf.reshape(tf.transpose(k, [0, 2, 3, 1]), [B * K, H, T]);
    const values = tf.reshape(tf.transpose(v, [0, 2, 1, 3]), [B * K, T, H]);
    const scores = tf.add(tf.reshape(product(queries, keys), [B * K, G, T, T]), mask);
    const mixed = product(tf.reshape(tf.softmax(scores, -1), [B * K, G * T, T]), values);
    const byToken = tf.reshape(tf.transpose(tf.reshape(mixed, [B, N, T, H]), [0, 2, 1, 3]), [M, D]);
    x = tf.add(x, linear(byToken, weight(`${layer}.self_attn.o_proj.weight`)));
    const h2 = rmsNorm(x, `${layer}.post_attention_layernorm.weight`);
    const gate = linear(h2, weight(`${layer}.mlp.gate_proj.weight`));
    const up = linear(h2, weight(`${layer}.mlp.up_proj.weight`));
    x = tf.add(x, linear(tf.mul(tf.mul(gate, tf.sigmoid(gate)), up), weight(`${layer}.mlp.down_proj.weight`)));
  }
  const logits = linear(rmsNorm(x, "model.norm.weight"), embedding);
  return tf.losses.softmaxCrossEntropy(targets, logits as tf.Tensor2D) as tf.Scalar;
}
