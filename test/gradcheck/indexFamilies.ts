/** @file Gradient check cases of gathers and scatters: repeated and negative indices, every axis. */
import { attr } from "../../src/onnx/attributes.ts";
import type { CaseBody, CaseBuilder, GradcheckFamily } from "../support/gradcheckCase.ts";
import { sizeOf } from "../support/ndarray.ts";

const family = (operator: string, body: CaseBody, extra: Partial<GradcheckFamily> = {}): GradcheckFamily => ({
  operator,
  name: operator.replace(":", "_"),
  body,
  ...extra,
});

/** More indices than rows, so that some repeat. */
const gather: CaseBody = (c) => {
  const shape = c.shape(c.rng.integer(1, 3));
  const axis = c.axis(shape.length);
  const ids = c.ids(c.rng.pick([[], [5], [2, 3], [1, 4]]), shape.at(axis)!, { negative: true });
  return c.op("Gather", [c.x(shape), ids], { axis: attr.int(axis) });
};

const gatherElements: CaseBody = (c) => {
  const shape = c.shape(c.rng.integer(1, 3));
  const axis = c.axis(shape.length);
  const whole = (axis + shape.length) % shape.length;
  const onePerRow = c.flip();
  const picked = shape.map((dim, i) =>
    i === whole ? (onePerRow ? 1 : c.rng.integer(1, 5)) : onePerRow ? dim : c.rng.integer(1, dim),
  );
  return c.op("GatherElements", [c.x(shape), c.ids(picked, shape[whole]!, { negative: true })], {
    axis: attr.int(axis),
  });
};

/** Index tuples of any depth, behind shared batch axes; constant or an input. */
const gatherND =
  (constant: boolean): CaseBody =>
  (c) => {
    const batch = c.shape(c.rng.integer(0, 1), 2);
    const indexed = c.shape(c.rng.integer(1, 2), 3);
    const inner = c.shape(c.rng.integer(0, 2), 3);
    const lead = [...batch, ...c.shape(c.rng.integer(0, 1), 4)];
    const tuples: number[] = Array.from({ length: sizeOf(lead) }, () =>
      indexed.map((dim) => {
        const id = c.rng.integer(0, dim - 1);
        return c.flip() ? id : id - dim;
      }),
    ).flat();
    const shape = [...lead, indexed.length];
    const data = c.x([...batch, ...indexed, ...inner]);
    const ids = constant ? c.constantIds(shape, tuples) : indexInput(c, shape, tuples);
    return c.op("GatherND", [data, ids], { batch_dims: attr.int(batch.length) });
  };

/** The given indices as a graph input: all tuples drawn below the smallest dimension would not repeat the point. */
function indexInput(
  c: CaseBuilder,
  shape: readonly number[],
  values: readonly number[],
): ReturnType<CaseBuilder["ids"]> {
  const ids = c.ids(shape, 1, { type: "int64" });
  c.feeds[ids.name] = { type: "int64", shape, data: BigInt64Array.from(values, BigInt) };
  return ids;
}

/** With `add` indices repeat; with `none` each position is written once. */
const scatterElements =
  (reduction: "add" | "none"): CaseBody =>
  (c) => {
    const shape = c.shape(c.rng.integer(1, 3));
    const axis = c.axis(shape.length);
    const whole = (axis + shape.length) % shape.length;
    const size = shape[whole]!;
    const written = shape.map((dim, i) =>
      i === whole ? (reduction === "add" ? c.rng.integer(1, 5) : c.rng.integer(1, size)) : c.rng.integer(1, dim),
    );
    const attributes = { axis: attr.int(axis), ...(reduction === "add" ? { reduction: attr.string("add") } : {}) };
    const data = c.x(shape);
    const ids = c.ids(written, size, { negative: reduction === "add" });
    if (reduction === "none") {
      // The same permutation of rows for every other index: no position twice.
      const rows = c.rng.shuffle(Array.from({ length: size }, (_, i) => i));
      const inner = sizeOf(written.slice(whole + 1));
      const values = Int32Array.from(
        { length: sizeOf(written) },
        (_, flat) => rows[Math.floor(flat / inner) % written[whole]!]!,
      );
      c.feeds[ids.name] = { type: "int32", shape: written, data: values };
    }
    return c.op("ScatterElements", [data, ids, c.x(written)], attributes);
  };

export const INDEX_FAMILIES: readonly GradcheckFamily[] = [
  family(":Gather", gather),
  family(":Gather", gather, { name: "_Gather_onehot", options: { gatherGradient: "onehot" } }),
  family(":GatherElements", gatherElements),
  family(":GatherND", gatherND(true), { name: "_GatherND_constant" }),
  family(":GatherND", gatherND(false), { name: "_GatherND_int64_input" }),
  family(":ScatterElements", scatterElements("add"), { name: "_ScatterElements_add" }),
  family(":ScatterElements", scatterElements("none"), { name: "_ScatterElements_none" }),
];
