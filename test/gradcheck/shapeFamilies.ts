/** @file Gradient check cases of operators that rearrange, repeat, join and cut tensors. */
import { attr } from "../../src/onnx/attributes.ts";
import type { CaseBody, CaseBuilder, GradcheckFamily } from "../support/gradcheckCase.ts";
import { sizeOf } from "../support/ndarray.ts";

const family = (operator: string, body: CaseBody, extra: Partial<GradcheckFamily> = {}): GradcheckFamily => ({
  operator,
  name: operator.replace(":", "_"),
  body,
  ...extra,
});

/** A reshape target with a -1 or a 0 now and then. */
const reshape: CaseBody = (c) => {
  const shape = c.shape(3);
  const [a, b, d] = shape as [number, number, number];
  const target = c.rng.pick([[-1], [a * b, d], [0, -1], [a, 1, b * d], [sizeOf(shape), 1]]);
  return c.op("Reshape", [c.x(shape), c.graph.ints(target)]);
};

const squeeze: CaseBody = (c) => {
  const shape = [...c.shape(2), 1];
  const axis = c.rng.integer(0, 2);
  shape.splice(axis, 0, 1);
  const axes = [c.flip() ? axis : axis - shape.length];
  return c.op("Squeeze", [c.x(shape), c.graph.ints(axes)]);
};

const unsqueeze: CaseBody = (c) => {
  const rank = c.rng.integer(0, 2);
  const axes = c.rng.pick(
    [[0], [-1], [rank, 0], [-2, 0]].filter((list) =>
      list.every((axis) => axis < rank + list.length && axis >= -(rank + list.length)),
    ),
  );
  const normalized = axes.map((axis) => (axis < 0 ? axis + rank + axes.length : axis));
  return c.op("Unsqueeze", [c.x(c.shape(rank)), c.graph.ints(new Set(normalized).size === axes.length ? axes : [0])]);
};

/** Starts and ends of every kind: from the front, from the end, out of range. */
function randomSlice(
  c: CaseBuilder,
  dim: number,
  steps: readonly number[],
): { start: number; end: number; step: number } {
  const step = c.rng.pick(steps);
  const far = 9_007_199_254_740_991;
  if (step > 0) {
    const start = c.rng.integer(0, dim - 1);
    const end = c.rng.integer(start + 1, dim);
    return { start: c.flip() ? start : start - dim, end: end === dim && c.flip() ? far : end, step };
  }
  const start = c.rng.integer(0, dim - 1);
  const end = c.rng.integer(-1, start - 1);
  return { start: start === dim - 1 && c.flip() ? far : start, end: end < 0 ? -far : end, step };
}

const slice =
  (steps: readonly number[]): CaseBody =>
  (c) => {
    const shape = c.shape(c.rng.integer(1, 3), 6);
    const axes = c.axes(shape.length);
    const parts = axes.map((axis) => randomSlice(c, shape.at(axis)!, steps));
    const inputs = [parts.map((p) => p.start), parts.map((p) => p.end), axes, parts.map((p) => p.step)].map((list) =>
      c.constantIds([list.length], list),
    );
    return c.op("Slice", [c.x(shape), ...inputs]);
  };

const pad: CaseBody = (c) => {
  const shape = c.shape(c.rng.integer(1, 3)).map((dim) => dim + 1);
  const pads = [...shape, ...shape].map(() => c.rng.integer(0, 2));
  if (c.rng.uniform() < 0.3) pads[0] = -1;
  const value = c.flip() ? undefined : c.x([]);
  return c.op("Pad", value === undefined ? [c.x(shape), c.graph.ints(pads)] : [c.x(shape), c.graph.ints(pads), value]);
};

/** Margins that repeat the input. */
const padMode =
  (mode: string): CaseBody =>
  (c) => {
    const shape = c.shape(c.rng.integer(1, 3)).map((dim) => dim + 1);
    const pads = [...shape, ...shape].map((dim) => c.rng.integer(0, dim - 1));
    return c.op("Pad", [c.x(shape), c.graph.ints(pads)], { mode: attr.string(mode) });
  };

const concat: CaseBody = (c) => {
  const shape = c.shape(c.rng.integer(1, 3));
  const axis = c.axis(shape.length);
  const parts = Array.from({ length: c.rng.integer(1, 3) }, () =>
    c.x(shape.map((dim, i) => (i === (axis + shape.length) % shape.length ? c.rng.integer(1, 3) : dim))),
  );
  return c.op("Concat", c.flip() ? parts : [...parts, parts[0]!], { axis: attr.int(axis) });
};

/** Parts of different sizes, of which the loss may leave some out. */
const split: CaseBody = (c) => {
  const sizes = c.shape(c.rng.integer(1, 3), 3);
  const shape = c.shape(c.rng.integer(1, 3));
  const axis = c.axis(shape.length);
  shape[(axis + shape.length) % shape.length] = sizes.reduce((a, b) => a + b, 0);
  const parts = c.graph.node("Split", [c.x(shape), c.graph.ints(sizes)], {
    attributes: { axis: attr.int(axis) },
    outputCount: sizes.length,
  });
  return parts.filter((_, i) => i === 0 || c.flip());
};

export const SHAPE_FAMILIES: readonly GradcheckFamily[] = [
  family(":Reshape", reshape),
  family(":Flatten", (c) => {
    const shape = c.shape(c.rng.integer(1, 4));
    return c.op("Flatten", [c.x(shape)], { axis: attr.int(c.rng.integer(-shape.length, shape.length)) });
  }),
  family(":Squeeze", squeeze),
  family(":Unsqueeze", unsqueeze),
  family(":Transpose", (c) => {
    const rank = c.rng.integer(1, 4);
    const perm = c.rng.shuffle(Array.from({ length: rank }, (_, i) => i));
    return c.op("Transpose", [c.x(c.shape(rank))], c.rng.uniform() < 0.2 ? {} : { perm: attr.ints(perm) });
  }),
  family(":Expand", (c) => {
    const [from, to] = c.broadcastable(2);
    const shape = to!.length === 0 ? [1] : to!;
    return c.op("Expand", [c.x(from!), c.graph.ints(shape)]);
  }),
  family(":Tile", (c) => {
    const shape = c.shape();
    return c.op("Tile", [c.x(shape), c.graph.ints(shape.map(() => c.rng.integer(1, 3)))]);
  }),
  family(":Concat", concat),
  family(":Split", split),
  family(":Slice", slice([1, 1, 2, 3])),
  family(":Slice", slice([-1, -2, 1]), { name: "_Slice_reversed" }),
  family(":Pad", pad),
  family(":Pad", padMode("reflect"), { name: "_Pad_reflect" }),
  family(":Pad", padMode("edge"), { name: "_Pad_edge" }),
];
