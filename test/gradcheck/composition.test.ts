/**
 * @file Random graphs of many operators against central differences: how rules work
 * together (gradients that broadcast from one into the next, values used several
 * times, transposes and reshapes that cancel), which single-operator checks cannot see.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { attr } from "../../src/onnx/attributes.ts";
import type { Value } from "../../src/onnx/types.ts";
import type { CaseBuilder, GradcheckFamily } from "../support/gradcheckCase.ts";
import { buildBatch, checkAnalytic, distance } from "../support/gradcheckCase.ts";
import { sizeOf } from "../support/ndarray.ts";
import { runOnProvider } from "../support/ortProviders.ts";

const MAX_ELEMENTS = 36;
const STEPS = 12;
const TOLERANCE = 1e-6;

const dims = (x: Value): number[] => [...(x.shape as readonly number[])];

/** Applies one random operator to values of the pool; undefined when it does not fit them. */
type Step = (c: CaseBuilder, x: Value, pool: readonly Value[]) => Value | undefined;

const bounded =
  (opType: string, domain = ""): Step =>
  (c, x) =>
    c.op(opType, [x], {}, domain);

function broadcasts(a: readonly number[], b: readonly number[]): boolean {
  return a.every((dim, i) => {
    const other = b[i - a.length + b.length];
    return other === undefined || dim === other || dim === 1 || other === 1;
  });
}

const binary =
  (opType: string): Step =>
  (c, x, pool) => {
    const partners = pool.filter((y) => broadcasts(dims(x), dims(y)));
    return c.op(opType, [x, c.rng.pick(partners)]);
  };

const reduction =
  (opType: string): Step =>
  (c, x) => {
    const rank = dims(x).length;
    if (rank === 0) return undefined;
    const axes = c.axes(rank);
    const keepdims = attr.int(c.flip() ? 1 : 0);
    return opType === "ReduceSum"
      ? c.op(opType, [x, c.graph.ints(axes)], { keepdims })
      : c.op(opType, [x], { axes: attr.ints(axes), keepdims });
  };

const STEPS_BY_NAME: Readonly<Record<string, Step>> = {
  tanh: bounded("Tanh"),
  sigmoid: bounded("Sigmoid"),
  softplus: bounded("Softplus"),
  gelu: bounded("Gelu", "com.microsoft"),
  neg: bounded("Neg"),
  add: binary("Add"),
  sub: binary("Sub"),
  mul: binary("Mul"),
  scale: (c, x) => c.graph.mul(x, c.float(c.rng.pick([1, -1, 0.5, 2]))),
  sum: reduction("ReduceSum"),
  mean: reduction("ReduceMean"),
  softmax: (c, x) =>
    dims(x).length === 0 ? undefined : c.op("Softmax", [x], { axis: attr.int(c.axis(dims(x).length)) }),
  reshape: (c, x) => {
    const size = sizeOf(dims(x));
    const divisors = Array.from({ length: size }, (_, i) => i + 1).filter((d) => size % d === 0);
    const first = c.rng.pick(divisors);
    return c.op("Reshape", [
      x,
      c.graph.ints(c.rng.pick([[first, -1], [-1], [1, first, size / first], [first, 1, -1]])),
    ]);
  },
  unsqueeze: (c, x) =>
    dims(x).length > 2 ? undefined : c.op("Unsqueeze", [x, c.graph.ints([c.rng.integer(-1, dims(x).length)])]),
  squeeze: (c, x) => {
    const ones = dims(x).flatMap((dim, i) => (dim === 1 ? [i] : []));
    return ones.length === 0 ? undefined : c.op("Squeeze", [x, c.graph.ints([c.rng.pick(ones)])]);
  },
  /** Two in a row now and then: their gradients become one. */
  transpose: (c, x) => {
    if (dims(x).length < 2) return undefined;
    const shuffled = (y: Value): Value =>
      c.op("Transpose", [y], { perm: attr.ints(c.rng.shuffle(dims(y).map((_, i) => i))) });
    return c.flip() ? shuffled(x) : shuffled(shuffled(x));
  },
  /** Matrices only: ONNX Runtime 1.30 (CPU) fuses Transpose + MatMul wrongly when the other operand is a vector. */
  matmul: (c, x, pool) => {
    const k = dims(x).at(-1);
    const lead = dims(x).slice(0, -2);
    const partners = pool.filter((y) => dims(y).at(-2) === k && broadcasts(lead, dims(y).slice(0, -2)));
    return partners.length === 0 || dims(x).length < 2 ? undefined : c.op("MatMul", [x, c.rng.pick(partners)]);
  },
  gram: (c, x) => {
    const rank = dims(x).length;
    if (rank < 2) return undefined;
    const swapped = c.op("Transpose", [x], {
      perm: attr.ints(dims(x).map((_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i))),
    });
    return c.op("Tanh", [c.flip() ? c.op("MatMul", [x, swapped]) : c.op("MatMul", [swapped, x])]);
  },
  expand: (c, x) => (dims(x).length > 2 ? undefined : c.op("Expand", [x, c.graph.ints([2, ...dims(x)])])),
  concat: (c, x) =>
    dims(x).length === 0
      ? undefined
      : c.op("Concat", [x, c.op("Tanh", [x])], { axis: attr.int(c.axis(dims(x).length)) }),
  slice: (c, x) => {
    const axis = dims(x).findIndex((dim) => dim > 1);
    return axis < 0 ? undefined : c.graph.slice(x, [c.flip() ? 1 : 0], [dims(x)[axis]!], [axis], [c.rng.pick([1, 2])]);
  },
  gather: (c, x) =>
    dims(x).length === 0 ? undefined : c.op("Gather", [x, c.ids([2], dims(x)[0]!, { negative: true })]),
  layerNorm: (c, x) => {
    const width = dims(x).at(-1);
    // Three or more: of two numbers only the sign survives.
    return width === undefined || width < 3
      ? undefined
      : c.op("LayerNormalization", [x, c.x([width])], { axis: attr.int(-1), epsilon: attr.float(0.1) });
  },
  where: (c, x, pool) => {
    const partners = pool.filter((y) => broadcasts(dims(x), dims(y)));
    return c.op("Where", [c.mask(dims(x)), x, c.rng.pick(partners)]);
  },
};

const RANDOM_GRAPH: GradcheckFamily = {
  operator: "",
  name: "composition",
  body: (c) => {
    const pool: Value[] = [c.x([2, 3]), c.x([3]), c.x([2, 3, 2])];
    const names = Object.keys(STEPS_BY_NAME);
    for (let i = 0; i < STEPS; i++) {
      // The newest value half of the time, so that chains get long.
      const x = c.flip() ? pool[pool.length - 1]! : c.rng.pick(pool);
      const y = STEPS_BY_NAME[c.rng.pick(names)]!(c, x, pool);
      if (y !== undefined && sizeOf(dims(y)) <= MAX_ELEMENTS) pool.push(y);
    }
    return [pool[pool.length - 1]!, ...(c.flip() ? [c.rng.pick(pool)] : [])];
  },
  options: { allowUnused: true },
};

test("gradients of random graphs agree with central differences", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), (seed) => {
      for (const { what, error } of checkAnalytic(RANDOM_GRAPH, seed)) expect(error, what).toBeLessThan(TOLERANCE);
    }),
    { numRuns: 120, seed: 20261122 },
  );
});

test.each(["cpu", "wasm"] as const)("random graphs on %s agree with float64", async (provider) => {
  const { graph, feeds, expected } = buildBatch(
    [RANDOM_GRAPH],
    Array.from({ length: 40 }, (_, i) => i + 1),
    17,
  );
  const got = await runOnProvider(provider, graph, feeds, { threads: 2 });
  for (const [name, reference] of expected) expect(distance(got.get(name)!, reference), name).toBeLessThan(1e-3);
});
