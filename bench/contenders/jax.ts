/**
 * @file The same model and step in jax-js: the whole step (loss, gradients, clipping,
 * AdamW) is one jitted function, which is how the library is fastest. jax-js consumes
 * what it is given: `.ref` keeps an array for another use.
 */
import { init, jit, lax, nn, numpy as np, valueAndGrad, type Array as JaxArray } from "@jax-js/jax";
import { ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON } from "../../src/optim/adamw.ts";
import { GEMM_SIZE, type Contender, type StepResult } from "../contender.ts";
import { batchOf, decoderOf, RMS_EPSILON, rotaryOf, STEP, weightsOf, type BenchModel } from "../models.ts";

type Parameters = Record<string, JaxArray>;

export async function openJax(model: BenchModel): Promise<Contender> {
  await init("wasm");
  const decoder = decoderOf(model);
  const specs = new Map(decoder.parameters.map((spec) => [spec.name, spec]));
  const fresh = (fill: (name: string) => Float32Array<ArrayBuffer>): Parameters =>
    Object.fromEntries(
      decoder.parameters.map(({ name, shape }) => [name, np.array(fill(name), { shape: [...shape] })]),
    );
  const weights = weightsOf(decoder);
  const zeros = (name: string): Float32Array<ArrayBuffer> => new Float32Array(weights.get(name)?.length ?? 0);
  let params = fresh((name) => weights.get(name) ?? zeros(name));
  let expAvg = fresh(zeros);
  let expAvgSq = fresh(zeros);

  const { B, T, N } = model;
  const batch = batchOf(model);
  const ids = np.array(batch.ids, { shape: [B, T] });
  const targets = np.array(batch.targets, { shape: [B * T] });
  const tables = rotaryOf(model);
  const rotaryShape = [1, T, 1, model.D / N / 2];
  const cos = np.array(tables.cos, { shape: rotaryShape });
  const sin = np.array(tables.sin, { shape: rotaryShape });

  const loss = (p: Parameters, x: JaxArray, y: JaxArray, c: JaxArray, s: JaxArray): JaxArray =>
    meanLoss(model, p, x, y, c, s);
  const update = jit(
    (
      p: Parameters,
      m: Parameters,
      v: Parameters,
      x: JaxArray,
      y: JaxArray,
      c: JaxArray,
      s: JaxArray,
      corrections: JaxArray,
    ) => {
      const [value, gradients] = valueAndGrad(loss)(take(p), x, y, c, s) as [JaxArray, Parameters];
      const squares = Object.values(gradients).map((gradient) => np.sum(np.square(gradient.ref)));
      const gradNorm = np.sqrt(squares.reduce((sum, square) => sum.add(square)));
      const clip = np.minimum(1, np.reciprocal(gradNorm.ref.add(1e-6)).mul(STEP.maxGradNorm));
      const [first, second] = [corrections.ref.slice(0), corrections.slice(1)];
      const next: [Parameters, Parameters, Parameters] = [{}, {}, {}];
      for (const [name, gradient] of Object.entries(gradients)) {
        const g = gradient.mul(clip.ref);
        const nextM = must(m, name)
          .mul(ADAM_BETA1)
          .add(g.ref.mul(1 - ADAM_BETA1));
        const nextV = must(v, name)
          .mul(ADAM_BETA2)
          .add(np.square(g).mul(1 - ADAM_BETA2));
        const ratio = nextM.ref.div(first.ref).div(np.sqrt(nextV.ref.div(second.ref)).add(ADAM_EPSILON));
        const decay = specs.get(name)?.decay ? STEP.weightDecay : 0;
        next[0][name] = must(p, name)
          .mul(1 - STEP.learningRate * decay)
          .sub(ratio.mul(STEP.learningRate));
        next[1][name] = nextM;
        next[2][name] = nextV;
      }
      for (const spare of [clip, first, second]) spare.dispose();
      return [...next, value, gradNorm] as const as unknown as [Parameters, Parameters, Parameters, JaxArray, JaxArray];
    },
  );

  let t = 0;
  const step = async (): Promise<StepResult> => {
    t++;
    const corrections = np.array([1 - ADAM_BETA1 ** t, 1 - ADAM_BETA2 ** t]);
    const [p, m, v, value, norm] = update(
      params,
      expAvg,
      expAvgSq,
      ids.ref,
      targets.ref,
      cos.ref,
      sin.ref,
      corrections,
    );
    [params, expAvg, expAvgSq] = [p, m, v];
    const [[lossValue = NaN], [gradNorm = NaN]] = [await value.data(), await norm.data()];
    await Promise.all(
      [...Object.values(p), ...Object.values(m), ...Object.values(v)].map((array) => array.blockUntilReady()),
    );
    return { loss: lossValue, gradNorm };
  };
  const square = () =>
    np.array(
      Float32Array.from({ length: GEMM_SIZE ** 2 }, (_, i) => Math.sin(i)),
      { shape: [GEMM_SIZE, GEMM_SIZE] },
    );
  const [a, b] = [square(), square()];
  const product = jit((x: JaxArray, y: JaxArray) => np.matmul(x, y));
  return {
    description: `jax-js wasm, ${threads()}`,
    work: {
      step,
      gemm: async () => {
        const y = product(a.ref, b.ref);
        await y.blockUntilReady();
        y.dispose();
      },
    },
    step,
  };
}

/** As jax-js decides by itself. */
function threads(): string {
  const count =
    typeof Worker === "undefined" || typeof SharedArrayBuffer === "undefined" ? 1 : navigator.hardwareConcurrency;
  return `${count} thread${count === 1 ? "" : "s"}`;
}

function must(tree: Parameters, name: string): JaxArray {
  const array = tree[name];
  if (array === undefined) throw new Error(`no parameter '${name}'`);
  return array;
}

/** The same arrays, held once more. */
function take(tree: Parameters): Parameters {
  return Object.fromEntries(Object.entries(tree).map(([name, array]) => [name, array.ref]));
}

/**
 * Causal attention over q [B, T, N, H], k and v [B, T, K, H], the query heads of a key
 * head folded into its rows: of the forms that were tried (nn.dotProductAttention,
 * einsum, this one) the fastest with its gradient.
 */
function attention(q: JaxArray, k: JaxArray, v: JaxArray): JaxArray {
  const [B = 0, T = 0, N = 0, H = 0] = q.shape;
  const K = k.shape[2] ?? 0;
  const G = N / K;
  const queries = q
    .mul(1 / Math.sqrt(H))
    .reshape([B, T, K, G, H])
    .transpose([0, 2, 3, 1, 4])
    .reshape([B, K, G * T, H]);
  const mask = np
    .tril(np.ones([T, T]))
    .sub(1)
    .mul(1e9);
  const scores = np
    .matmul(queries, k.transpose([0, 2, 3, 1]))
    .reshape([B, K, G, T, T])
    .add(mask);
  const mixed = np.matmul(nn.softmax(scores, -1).reshape([B, K, G * T, T]), v.transpose([0, 2, 1, 3]));
  return mixed.reshape([B, K, G, T, H]).transpose([0, 3, 1, 2, 4]);
}

/** Mean negative log-likelihood of targets [B·T] after ids [B, T]. Consumes everything. */
function meanLoss(
  { L, D, N, K, V, B, T }: BenchModel,
  p: Parameters,
  ids: JaxArray,
  targets: JaxArray,
  cos: JaxArray,
  sin: JaxArray,
): JaxArray {
  const [M, H] = [B * T, D / N];
  const linear = (x: JaxArray, name: string): JaxArray => np.matmul(x, np.transpose(must(p, name)));
  const rmsNorm = (x: JaxArray, name: string): JaxArray => {
    const meanSquare = np.mean(np.square(x.ref), -1, { keepdims: true });
    return x.div(np.sqrt(meanSquare.add(RMS_EPSILON))).mul(must(p, name));
  };
  const rotary = (x: JaxArray): JaxArray => {
    const [low, high] = [x.ref.slice([], [], [], [0, H / 2]), x.slice([], [], [], [H / 2, H])];
    return np.concatenate(
      [low.ref.mul(cos.ref).sub(high.ref.mul(sin.ref)), high.mul(cos.ref).add(low.mul(sin.ref))],
      -1,
    );
  };
  const embedding = must(p, "model.embed_tokens.weight");
  let x = np.take(embedding.ref, ids.reshape([M]), 0);
  for (let i = 0; i < L; i++) {
    const layer = `model.layers.${i}`;
    const h = rmsNorm(x.ref, `${layer}.input_layernorm.weight`);
    const q = rotary(linear(h.ref, `${layer}.self_attn.q_proj.weight`).reshape([B, T, N, H]));
    const k = rotary(linear(h.ref, `${layer}.self_attn.k_proj.weight`).reshape([B, T, K, H]));
    const v = linear(h, `${layer}.self_attn.v_proj.weight`).reshape([B, T, K, H]);
    const mixed = attention(q, k, v).reshape([M, D]);
    x = x.add(linear(mixed, `${layer}.self_attn.o_proj.weight`));
    const h2 = rmsNorm(x.ref, `${layer}.post_attention_layernorm.weight`);
    const gate = nn.silu(linear(h2.ref, `${layer}.mlp.gate_proj.weight`));
    x = x.add(linear(gate.mul(linear(h2, `${layer}.mlp.up_proj.weight`)), `${layer}.mlp.down_proj.weight`));
  }
  const logits = np.matmul(rmsNorm(x, "model.norm.weight"), np.transpose(embedding));
  const logProbabilities = nn.logSoftmax(logits, -1);
  const picked = np.sum(logProbabilities.mul(lax.stopGradient(nn.oneHot(targets, V))));
  cos.dispose();
  sin.dispose();
  return picked.mul(-1 / M);
}
