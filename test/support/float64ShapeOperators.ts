/** @file Operators of the float64 reference evaluator that move data: reshapes, slices, gathers, scatters. */
import type { NdArray } from "./ndarray.ts";
import {
  array,
  at,
  axisOf,
  broadcastTo,
  forEachIndex,
  generate,
  reshape,
  sizeOf,
  stridesFor,
  transpose,
} from "./ndarray.ts";
import type { Operator, OperatorCall } from "./float64OperatorCall.ts";
import { input, intOf, intsOf, listOf, scalarOf, stringOf } from "./float64OperatorCall.ts";

const axesGiven = (call: OperatorCall, from: number): readonly number[] | undefined =>
  intsOf(call, "axes") ?? (call.inputs[from] === undefined ? undefined : listOf(call, from));

function reshapeTarget(call: OperatorCall, x: NdArray): number[] {
  const asked = listOf(call, 1).map((d, i) => (d === 0 && intOf(call, "allowzero", 0) === 0 ? x.shape[i]! : d));
  const known = asked.filter((d) => d !== -1).reduce((a, b) => a * b, 1);
  return asked.map((d) => (d === -1 ? x.data.length / known : d));
}

const squeeze: Operator = (call) => {
  const x = input(call, 0);
  const axes =
    axesGiven(call, 1)?.map((a) => axisOf(a, x.shape.length)) ?? x.shape.flatMap((d, i) => (d === 1 ? [i] : []));
  return [
    reshape(
      x,
      x.shape.filter((_, i) => !axes.includes(i)),
    ),
  ];
};

const unsqueeze: Operator = (call) => {
  const x = input(call, 0);
  const given = axesGiven(call, 1) ?? [];
  const rank = x.shape.length + given.length;
  const axes = given.map((a) => axisOf(a, rank));
  const rest = [...x.shape];
  return [
    reshape(
      x,
      Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : rest.shift()!)),
    ),
  ];
};

const concat: Operator = (call) => {
  const parts = call.inputs.map((_, i) => input(call, i));
  const axis = axisOf(intOf(call, "axis", 0), parts[0]!.shape.length);
  const total = parts.reduce((n, p) => n + p.shape[axis]!, 0);
  return [
    generate(
      parts[0]!.shape.map((d, i) => (i === axis ? total : d)),
      (index) => {
        let offset = index[axis]!;
        for (const part of parts) {
          if (offset < part.shape[axis]!)
            return at(
              part,
              index.map((p, i) => (i === axis ? offset : p)),
            );
          offset -= part.shape[axis]!;
        }
        throw new Error("concat: out of range");
      },
    ),
  ];
};

const split: Operator = (call) => {
  const x = input(call, 0);
  const axis = axisOf(intOf(call, "axis", 0), x.shape.length);
  const count = call.node.outputs.length;
  const chunk = Math.ceil(x.shape[axis]! / count);
  const sizes =
    intsOf(call, "split") ??
    (call.inputs[1] === undefined
      ? Array.from({ length: count }, (_, i) => Math.min(chunk, x.shape[axis]! - i * chunk))
      : listOf(call, 1));
  let start = 0;
  return sizes.map((size) => {
    const from = start;
    start += size;
    return generate(
      x.shape.map((d, i) => (i === axis ? size : d)),
      (index) =>
        at(
          x,
          index.map((p, i) => (i === axis ? p + from : p)),
        ),
    );
  });
};

const slice: Operator = (call) => {
  const x = input(call, 0);
  const starts = intsOf(call, "starts") ?? listOf(call, 1);
  const ends = intsOf(call, "ends") ?? listOf(call, 2);
  const axes = (axesGiven(call, 3) ?? starts.map((_, i) => i)).map((a) => axisOf(a, x.shape.length));
  const steps = call.inputs[4] === undefined ? starts.map(() => 1) : listOf(call, 4);
  const picked = x.shape.map((d, axis) => {
    const i = axes.indexOf(axis);
    if (i < 0) return Array.from({ length: d }, (_, p) => p);
    const step = steps[i]!;
    const bound = (v: number, low: number, high: number): number => Math.min(Math.max(v < 0 ? v + d : v, low), high);
    const out: number[] = [];
    if (step > 0) for (let p = bound(starts[i]!, 0, d); p < bound(ends[i]!, 0, d); p += step) out.push(p);
    else for (let p = bound(starts[i]!, 0, d - 1); p > bound(ends[i]!, -1, d - 1); p += step) out.push(p);
    return out;
  });
  return [
    generate(
      picked.map((p) => p.length),
      (index) =>
        at(
          x,
          index.map((p, axis) => picked[axis]![p]!),
        ),
    ),
  ];
};

const pad: Operator = (call) => {
  const x = input(call, 0);
  const rank = x.shape.length;
  const axes = (call.inputs[3] === undefined ? x.shape.map((_, i) => i) : listOf(call, 3)).map((a) => axisOf(a, rank));
  const pads = listOf(call, 1);
  const value = call.inputs[2] === undefined ? 0 : scalarOf(call, 2);
  const mode = stringOf(call, "mode", "constant");
  const before = x.shape.map((_, i) => (axes.includes(i) ? pads[axes.indexOf(i)]! : 0));
  const after = x.shape.map((_, i) => (axes.includes(i) ? pads[axes.indexOf(i) + axes.length]! : 0));
  return [
    generate(
      x.shape.map((d, i) => d + before[i]! + after[i]!),
      (index) => {
        let inside = true;
        const from = index.map((p, i) => {
          const d = x.shape[i]!;
          let q = p - before[i]!;
          if (q < 0 || q >= d) {
            if (mode === "constant") inside = false;
            else if (mode === "edge") q = Math.min(Math.max(q, 0), d - 1);
            else if (mode === "wrap") q = ((q % d) + d) % d;
            else while (q < 0 || q >= d) q = q < 0 ? -q : 2 * (d - 1) - q;
          }
          return q;
        });
        return inside ? at(x, from) : value;
      },
    ),
  ];
};

const wrapIndex = (i: number, d: number): number => {
  const out = i < 0 ? i + d : i;
  if (out < 0 || out >= d) throw new Error(`index ${i} of ${d}`);
  return out;
};

const gather: Operator = (call) => {
  const [x, ids] = [input(call, 0), input(call, 1)];
  const axis = axisOf(intOf(call, "axis", 0), x.shape.length);
  return [
    generate([...x.shape.slice(0, axis), ...ids.shape, ...x.shape.slice(axis + 1)], (index) => {
      const row = at(ids, index.slice(axis, axis + ids.shape.length));
      return at(x, [...index.slice(0, axis), wrapIndex(row, x.shape[axis]!), ...index.slice(axis + ids.shape.length)]);
    }),
  ];
};

const gatherElements: Operator = (call) => {
  const [x, ids] = [input(call, 0), input(call, 1)];
  const axis = axisOf(intOf(call, "axis", 0), x.shape.length);
  const strides = stridesFor(x.shape);
  return [
    generate(ids.shape, (index) => {
      const flat = index.reduce(
        (sum, p, i) => sum + strides[i]! * (i === axis ? wrapIndex(at(ids, index), x.shape[axis]!) : p),
        0,
      );
      return x.data[flat]!;
    }),
  ];
};

const gatherND: Operator = (call) => {
  const [x, ids] = [input(call, 0), input(call, 1)];
  const batch = intOf(call, "batch_dims", 0);
  const depth = ids.shape[ids.shape.length - 1]!;
  const lead = ids.shape.slice(0, -1);
  return [
    generate([...lead, ...x.shape.slice(batch + depth)], (index) => {
      const head = index.slice(0, lead.length);
      const rows = Array.from({ length: depth }, (_, k) => wrapIndex(at(ids, [...head, k]), x.shape[batch + k]!));
      return at(x, [...head.slice(0, batch), ...rows, ...index.slice(lead.length)]);
    }),
  ];
};

const scatterElements: Operator = (call) => {
  const [x, ids, updates] = [input(call, 0), input(call, 1), input(call, 2)];
  const axis = axisOf(intOf(call, "axis", 0), x.shape.length);
  const reduction = stringOf(call, "reduction", "none");
  if (reduction !== "none" && reduction !== "add") throw new Error(`ScatterElements ${reduction}`);
  const out = array(x.shape, x.data);
  const strides = stridesFor(x.shape);
  forEachIndex(ids.shape, (index, from) => {
    const flat = index.reduce(
      (sum, p, i) => sum + strides[i]! * (i === axis ? wrapIndex(ids.data[from]!, x.shape[axis]!) : p),
      0,
    );
    out.data[flat] = updates.data[from]! + (reduction === "add" ? out.data[flat]! : 0);
  });
  return [out];
};

const trilu: Operator = (call) => {
  const x = input(call, 0);
  const k = call.inputs[1] === undefined ? 0 : scalarOf(call, 1);
  const upper = intOf(call, "upper", 1) === 1;
  return [
    generate(x.shape, (index) => {
      const [i, j] = index.slice(-2) as [number, number];
      return (upper ? j - i >= k : j - i <= k) ? at(x, index) : 0;
    }),
  ];
};

const cumSum: Operator = (call) => {
  const x = input(call, 0);
  const axis = axisOf(scalarOf(call, 1), x.shape.length);
  const exclusive = intOf(call, "exclusive", 0) === 1;
  const reverse = intOf(call, "reverse", 0) === 1;
  return [
    generate(x.shape, (index) => {
      let sum = 0;
      for (let p = 0; p < x.shape[axis]!; p++) {
        const distance = reverse ? p - index[axis]! : index[axis]! - p;
        if (distance > 0 || (distance === 0 && !exclusive))
          sum += at(
            x,
            index.map((q, i) => (i === axis ? p : q)),
          );
      }
      return sum;
    }),
  ];
};

const constant: Operator = (call) => {
  const { value, value_int, value_float, value_ints, value_floats } = call.node.attributes;
  if (value?.kind === "tensor")
    return [array(value.value.shape, Array.from(value.value.data as ArrayLike<number | bigint>, Number))];
  if (value_int?.kind === "int") return [array([], [value_int.value])];
  if (value_float?.kind === "float") return [array([], [value_float.value])];
  const list = value_ints ?? value_floats;
  if (list?.kind === "ints" || list?.kind === "floats") return [array([list.value.length], list.value)];
  throw new Error("Constant: unknown attribute");
};

/** By "domain:OpType". */
export const SHAPE_OPERATORS: Readonly<Record<string, Operator>> = {
  ":Identity": (call) => [input(call, 0)],
  ":Constant": constant,
  ":ConstantOfShape": (call) => {
    const value = call.node.attributes["value"];
    const fill = value?.kind === "tensor" ? Number(value.value.data[0]) : 0;
    return [generate(listOf(call, 0), () => fill)];
  },
  ":Shape": (call) => [array([input(call, 0).shape.length], input(call, 0).shape)],
  ":Range": (call) => {
    const [start, limit, delta] = [scalarOf(call, 0), scalarOf(call, 1), scalarOf(call, 2)];
    const count = Math.max(0, Math.ceil((limit - start) / delta));
    return [generate([count], ([i]) => start + i! * delta)];
  },
  ":Transpose": (call) => [
    transpose(input(call, 0), intsOf(call, "perm") ?? [...input(call, 0).shape.keys()].reverse()),
  ],
  ":Reshape": (call) => [reshape(input(call, 0), reshapeTarget(call, input(call, 0)))],
  ":Flatten": (call) => {
    const x = input(call, 0);
    const given = intOf(call, "axis", 1);
    const axis = given < 0 ? given + x.shape.length : given;
    return [reshape(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))])];
  },
  ":Squeeze": squeeze,
  ":Unsqueeze": unsqueeze,
  ":Expand": (call) => {
    const x = input(call, 0);
    return [generate(broadcastTo([x.shape, listOf(call, 1)]), (index) => at(x, index))];
  },
  ":Tile": (call) => {
    const x = input(call, 0);
    const repeats = listOf(call, 1);
    return [
      generate(
        x.shape.map((d, i) => d * repeats[i]!),
        (index) =>
          at(
            x,
            index.map((p, i) => p % x.shape[i]!),
          ),
      ),
    ];
  },
  ":Concat": concat,
  ":Split": split,
  ":Slice": slice,
  ":Pad": pad,
  ":Gather": gather,
  ":GatherElements": gatherElements,
  ":GatherND": gatherND,
  ":ScatterElements": scatterElements,
  ":Trilu": trilu,
  ":CumSum": cumSum,
};
