/**
 * @file The optimizer graph against torch.optim.AdamW and clip_grad_norm_ written out
 * as plain loops, computed in float64 and on ONNX Runtime.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { encodeModel } from "../../src/onnx/model.ts";
import type { Tensor } from "../../src/onnx/types.ts";
import { buildAdamW, type AdamWOptions, type ParameterGroup } from "../../src/optim/adamw.ts";
import { buildSquareSum, buildUpdate, updateScalars } from "../../src/optim/adamwPieces.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine, Session } from "../../src/runtime/types.ts";
import { SUM_ELEMENTS } from "../../src/student/sessionCache.ts";
import { float32 } from "../support/engineSuite.ts";
import { evaluate } from "../support/float64Evaluator.ts";
import { array, type NdArray } from "../support/ndarray.ts";
import { runOnProvider } from "../support/ortProviders.ts";

const GROUPS: readonly ParameterGroup[] = [
  { name: "decay0", size: 5, decay: true },
  { name: "decay1", size: 3, decay: true },
  { name: "noDecay0", size: 4, decay: false },
];

interface Moments {
  param: number[];
  grad: number[];
  expAvg: number[];
  expAvgSq: number[];
}
type State = Record<string, Moments>;

function draw(seed: number, gradScale = 1): State {
  const rng = new Rng(seed);
  const values = (size: number, scale: number): number[] =>
    Array.from({ length: size }, () => Math.fround(rng.normal() * scale));
  return Object.fromEntries(
    GROUPS.map(({ name, size }) => [
      name,
      {
        param: values(size, 1),
        grad: values(size, gradScale),
        expAvg: values(size, 0.1),
        expAvgSq: values(size, 0.1).map((x) => Math.fround(x * x)),
      },
    ]),
  );
}

interface Step {
  readonly tokens: number;
  readonly lr: number;
  /** 1-based. */
  readonly t: number;
}

/** clip_grad_norm_ over all groups, then torch's single-tensor AdamW. */
function torchStep(state: State, options: AdamWOptions, { tokens, lr, t }: Step): { gradNorm: number; next: State } {
  const mean = Object.fromEntries(GROUPS.map(({ name }) => [name, state[name]!.grad.map((g) => g / tokens)]));
  const gradNorm = Math.sqrt(
    Object.values(mean)
      .flat()
      .reduce((sum, g) => sum + g * g, 0),
  );
  const clip = options.maxGradNorm > 0 ? Math.min(1, options.maxGradNorm / (gradNorm + 1e-6)) : 1;
  const next: State = {};
  for (const { name, decay } of GROUPS) {
    const { param, expAvg, expAvgSq } = state[name]!;
    const out: Moments = { param: [], grad: [], expAvg: [], expAvgSq: [] };
    param.forEach((p, i) => {
      const g = mean[name]![i]! * clip;
      const m = 0.9 * expAvg[i]! + 0.1 * g;
      const v = 0.999 * expAvgSq[i]! + 0.001 * g * g;
      const decayed = p * (1 - lr * (decay ? options.weightDecay : 0));
      const denominator = Math.sqrt(v) / Math.sqrt(1 - 0.999 ** t) + 1e-8;
      out.param.push(decayed - (lr / (1 - 0.9 ** t)) * (m / denominator));
      out.expAvg.push(m);
      out.expAvgSq.push(v);
    });
    next[name] = out;
  }
  return { gradNorm, next };
}

function feedsOf(state: State, { tokens, lr, t }: Step): Record<string, NdArray> {
  const feeds: Record<string, NdArray> = {
    inverseTokens: array([1], [1 / tokens]),
    lr: array([1], [lr]),
    biasCorrection1: array([1], [1 - 0.9 ** t]),
    biasCorrection2: array([1], [1 - 0.999 ** t]),
  };
  for (const { name, size } of GROUPS) {
    for (const key of ["param", "grad", "expAvg", "expAvgSq"] as const)
      feeds[`${key}.${name}`] = array([size], state[name]![key]);
  }
  return feeds;
}

/** Largest difference of any output from the reference, relative to 1 + |reference|. */
function worst(outputs: ReadonlyMap<string, NdArray>, expected: ReturnType<typeof torchStep>): number {
  let largest = 0;
  const see = (actual: number, reference: number): void => {
    largest = Math.max(largest, Math.abs(actual - reference) / (1 + Math.abs(reference)));
    if (Number.isNaN(actual)) largest = Infinity;
  };
  see(outputs.get("gradNorm")!.data[0]!, expected.gradNorm);
  for (const { name } of GROUPS) {
    for (const key of ["param", "expAvg", "expAvgSq"] as const) {
      expected.next[name]![key].forEach((reference, i) => see(outputs.get(`${key}.${name}.out`)!.data[i]!, reference));
    }
  }
  return largest;
}

const SETTINGS: readonly (readonly [string, AdamWOptions, number])[] = [
  ["no clipping, no decay", { weightDecay: 0, maxGradNorm: 0 }, 1],
  ["clipping that bites", { weightDecay: 0, maxGradNorm: 0.1 }, 10],
  ["clipping that does not bite", { weightDecay: 0, maxGradNorm: 100 }, 1],
  ["decay and clipping", { weightDecay: 0.1, maxGradNorm: 1 }, 5],
  ["gradients near zero", { weightDecay: 0.01, maxGradNorm: 1 }, 1e-6],
];

describe.each(SETTINGS)("%s", (_name, options, gradScale) => {
  const graph = buildAdamW(GROUPS, options);
  test.each([
    [1, 1e-3],
    [2, 5e-5],
    [1000, 0.3],
  ])("matches torch in step %i with rate %f", async (t, lr) => {
    const state = draw(t, gradScale);
    const step = { tokens: 7, lr, t };
    const expected = torchStep(state, options, step);
    const feeds = feedsOf(state, step);
    // The constants of the graph are float32 even where it is computed in float64.
    expect(worst(evaluate(graph, feeds), expected)).toBeLessThan(2e-7);
    const tensors = Object.fromEntries(
      Object.entries(feeds).map(([name, { shape, data }]): [string, Tensor] => [
        name,
        { type: "float32", shape, data: Float32Array.from(data) },
      ]),
    );
    expect(worst(await runOnProvider("cpu", graph, tensors), expected)).toBeLessThan(2e-6);
  });
});

describe("in pieces", () => {
  let engine: Engine;
  let squareSum: Session;
  let update: Session;
  beforeAll(async () => {
    engine = await createEngine("cpu");
    squareSum = await engine.createSession(encodeModel(buildSquareSum()), { name: "squareSum", pieceElements: 64 });
    update = await engine.createSession(encodeModel(buildUpdate()), { name: "update", pieceElements: 64 });
  });
  afterAll(() => engine.dispose());

  test.each(SETTINGS)("%s: both graphs together match torch", async (_name, options, gradScale) => {
    for (const [t, lr] of [
      [1, 1e-3],
      [2, 5e-5],
      [1000, 0.3],
    ] as const) {
      const state = draw(t, gradScale);
      const expected = torchStep(state, options, { tokens: 7, lr, t });
      const vector = (values: readonly number[]): Tensor => float32([values.length], values);
      let squared = 0;
      for (const { name } of GROUPS) {
        const feeds = { grad: vector(state[name]!.grad), scale: float32([1], [1 / 7]) };
        const { data } = (await squareSum.run(feeds, { sum: "host" })).host("sum");
        for (const sum of data) squared += Number(sum);
      }
      const gradNorm = Math.sqrt(squared);
      const outputs = new Map([["gradNorm", array([1], [gradNorm])]]);
      for (const { name, decay } of GROUPS) {
        const scalars = Object.entries(updateScalars(options, { t, lr, divisor: 7, gradNorm }, decay));
        const result = await update.run(
          {
            ...Object.fromEntries(Object.entries(state[name]!).map(([key, values]) => [key, vector(values)])),
            ...Object.fromEntries(scalars.map(([key, value]) => [key, float32([1], [value])])),
          },
          { "param.out": "host", "expAvg.out": "host", "expAvgSq.out": "host" },
        );
        for (const key of ["param", "expAvg", "expAvgSq"]) {
          const { data, shape } = result.host(`${key}.out`);
          outputs.set(`${key}.${name}.out`, array([...shape], Array.from(data, Number)));
        }
      }
      expect(worst(outputs, expected)).toBeLessThan(2e-6);
    }
  });

  test("the norm of millions of parameters is exact to float32", async () => {
    const session = await engine.createSession(encodeModel(buildSquareSum()), {
      name: "squareSum",
      pieceElements: SUM_ELEMENTS,
    });
    const rng = new Rng(5);
    const grad = Float32Array.from({ length: 3_000_000 }, () => rng.normal());
    const exact = Math.sqrt(grad.reduce((sum, x) => sum + x * x, 0));
    const feeds = { grad: { type: "float32", shape: [grad.length], data: grad }, scale: float32([1], [1]) } as const;
    const { data, shape } = (await session.run(feeds, { sum: "host" })).host("sum");
    expect(shape).toEqual([Math.ceil(grad.length / SUM_ELEMENTS)]);
    expect(Math.sqrt(Array.from(data, Number).reduce((a, b) => a + b)) / exact).toBeCloseTo(1, 6);
  });
});

test("a gradient that is not a number shows in the norm, clipped or not", () => {
  for (const maxGradNorm of [0, 1]) {
    const state = draw(3);
    state["noDecay0"]!.grad[1] = NaN;
    const out = evaluate(
      buildAdamW(GROUPS, { weightDecay: 0, maxGradNorm }),
      feedsOf(state, { tokens: 1, lr: 1e-3, t: 1 }),
    );
    expect(out.get("gradNorm")!.data[0]).toBeNaN();
  }
});

test("the sum over many tokens does not overflow the norm: it is scaled before it is squared", async () => {
  const state = draw(4);
  for (const { name, size } of GROUPS) state[name]!.grad = Array.from({ length: size }, () => 1e20);
  const feeds = feedsOf(state, { tokens: 1e6, lr: 1e-3, t: 1 });
  const tensors = Object.fromEntries(
    Object.entries(feeds).map(([name, { shape, data }]): [string, Tensor] => [
      name,
      { type: "float32", shape, data: Float32Array.from(data) },
    ]),
  );
  const out = await runOnProvider("cpu", buildAdamW(GROUPS, { weightDecay: 0, maxGradNorm: 1 }), tensors);
  expect(out.get("gradNorm")!.data[0]! / (1e14 * Math.sqrt(12))).toBeCloseTo(1, 6);
});

test("the norm of millions of parameters is exact to float32: no single running sum", async () => {
  const size = 3_000_000;
  const rng = new Rng(5);
  const grad = Float32Array.from({ length: size }, () => rng.normal());
  const exact = Math.sqrt(grad.reduce((sum, x) => sum + x * x, 0));
  const zeros = (): Tensor => ({ type: "float32", shape: [size], data: new Float32Array(size) });
  const number = (value: number): Tensor => ({ type: "float32", shape: [1], data: Float32Array.of(value) });
  const groups: ParameterGroup[] = [{ name: "all", size, decay: true }];
  const out = await runOnProvider("wasm", buildAdamW(groups, { weightDecay: 0, maxGradNorm: 0 }), {
    "param.all": zeros(),
    "grad.all": { type: "float32", shape: [size], data: grad },
    "expAvg.all": zeros(),
    "expAvgSq.all": zeros(),
    inverseTokens: number(1),
    lr: number(1e-3),
    biasCorrection1: number(0.1),
    biasCorrection2: number(0.001),
  });
  expect(out.get("gradNorm")!.data[0]! / exact).toBeCloseTo(1, 6);
});
