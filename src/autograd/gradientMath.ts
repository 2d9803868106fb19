/**
 * @file The arithmetic that gradient rules are written in. It folds constant scalars
 * (so the seed 1 of the loss costs nothing) and carries gradients *narrow*: a
 * gradient may have any shape that broadcasts to the shape of its value, so
 * nothing is expanded until a rule needs every element. Only operators with kernels
 * on ONNX Runtime's CPU, WASM and WebGPU providers are emitted.
 */
import { attr } from "../onnx/attributes.ts";
import { elementCount, formatShape, sameShape, staticShape } from "../onnx/shapes.ts";
import type { DataType, Dim, Shape, Value } from "../onnx/types.ts";
import { NodeEmitter, numbersOf } from "./nodeEmitter.ts";

/** Emits gradient arithmetic into one builder. */
export class GradientMath extends NodeEmitter {
  readonly #ranges = new Map<string, Value>();

  // ---- elementwise ---------------------------------------------------------------

  add(a: Value, b: Value): Value {
    return this.emit("Add", [a, b]);
  }

  sub(a: Value, b: Value): Value {
    return this.emit("Sub", [a, b]);
  }

  /** `a · b`; constant scalars fold, 1 disappears (the result may be narrower than the broadcast). */
  mul(a: Value, b: Value): Value {
    const [x, y] = [this.scalarOf(a), this.scalarOf(b)];
    if (x !== undefined && y !== undefined) return this.scalar(x * y, a.type);
    if (x === 1) return b;
    if (y === 1) return a;
    return this.emit("Mul", [a, b]);
  }

  /** `a / b`, with the same folding. */
  div(a: Value, b: Value): Value {
    const [x, y] = [this.scalarOf(a), this.scalarOf(b)];
    if (y !== undefined && y !== 0) return this.scale(a, 1 / y);
    return x === 1 ? this.emit("Reciprocal", [b]) : this.emit("Div", [a, b]);
  }

  /** `a · factor`. */
  scale(a: Value, factor: number): Value {
    return factor === -1 ? this.neg(a) : this.mul(a, this.scalar(factor, a.type));
  }

  neg(a: Value): Value {
    const number = this.scalarOf(a);
    return number === undefined ? this.emit("Neg", [a]) : this.scalar(-number, a.type);
  }

  /** `a + number`. */
  shift(a: Value, number: number): Value {
    return this.add(a, this.scalar(number, a.type));
  }

  /** `1 − a`. */
  oneMinus(a: Value): Value {
    return this.sub(this.scalar(1, a.type), a);
  }

  unary(
    opType: "Exp" | "Log" | "Sqrt" | "Sigmoid" | "Tanh" | "Erf" | "Sin" | "Cos" | "Reciprocal" | "Not",
    a: Value,
  ): Value {
    return this.emit(opType, [a]);
  }

  compare(opType: "Equal" | "Less" | "Greater" | "LessOrEqual" | "GreaterOrEqual", a: Value, b: Value): Value {
    return this.emit(opType, [a, b]);
  }

  where(condition: Value, a: Value, b: Value): Value {
    return this.emit("Where", [condition, a, b]);
  }

  /** `value` where the condition holds, 0 elsewhere. */
  keepWhere(condition: Value, value: Value): Value {
    return this.where(condition, value, this.scalar(0, value.type));
  }

  cast(a: Value, to: DataType): Value {
    return a.type === to ? a : this.emit("Cast", [a], { to: attr.dataType(to) });
  }

  // ---- shape ---------------------------------------------------------------------

  /** A narrow gradient in the full shape of its value. */
  full(gradient: Value, shape: Shape): Value {
    if (sameShape(gradient.shape, shape)) return gradient;
    // Expand broadcasts, so a symbolic size that the gradient has already is left to it.
    const missing = shape.length - gradient.shape.length;
    const target = shape.map((dim, i) => (typeof dim === "string" && dim === gradient.shape[i - missing] ? 1 : dim));
    return this.emit("Expand", [
      gradient,
      this.ints(staticShape(target, `gradient of shape ${formatShape(gradient.shape)}`)),
    ]);
  }

  zeros(type: DataType, shape: readonly number[]): Value {
    return this.full(this.scalar(0, type), shape);
  }

  /** A one-element gradient as a scalar, which broadcasts to any rank; undefined for larger ones. */
  asScalar(gradient: Value): Value | undefined {
    if (gradient.shape.some((dim) => dim !== 1)) return undefined;
    const number = this.scalarOf(gradient);
    return number === undefined ? this.reshape(gradient, []) : this.scalar(number, gradient.type);
  }

  /** `gradient` with 1s put in front up to `rank`. */
  withRank(gradient: Value, rank: number): Value {
    const missing = rank - gradient.shape.length;
    return missing <= 0 ? gradient : this.reshape(gradient, [...new Array<Dim>(missing).fill(1), ...gradient.shape]);
  }

  /** Constant padding with zeros; negative pads crop. `pads` is [begin…, end…]. */
  pad(a: Value, pads: readonly number[]): Value {
    return pads.every((pad) => pad === 0) ? a : this.emit("Pad", [a, this.ints(pads)]);
  }

  slice(a: Value, axes: readonly number[], starts: readonly number[], ends: readonly number[]): Value {
    return this.emit("Slice", [a, this.ints(starts), this.ints(ends), this.ints(axes)]);
  }

  split(a: Value, sizes: readonly number[], axis: number): readonly Value[] {
    return sizes.length === 1
      ? [a]
      : this.emitAll("Split", [a, this.ints(sizes)], { axis: attr.int(axis) }, "", sizes.length);
  }

  concat(parts: readonly Value[], axis: number): Value {
    const [only, ...rest] = parts;
    return only !== undefined && rest.length === 0 ? only : this.emit("Concat", parts, { axis: attr.int(axis) });
  }

  // ---- reductions ----------------------------------------------------------------

  sum(a: Value, axes: readonly number[], keepDims = true): Value {
    if (axes.length === 0) return a;
    return this.emit("ReduceSum", [a, this.ints(axes)], { keepdims: attr.int(keepDims ? 1 : 0) });
  }

  /** Mean or sum of squares, keeping dimensions: axes as an attribute below operator set 18. */
  reduce(opType: "ReduceMean" | "ReduceMax" | "ReduceSumSquare", a: Value, axes: readonly number[]): Value {
    const keepdims = attr.int(1);
    return this.builder.opset >= 18
      ? this.emit(opType, [a, this.ints(axes)], { keepdims })
      : this.emit(opType, [a], { axes: attr.ints(axes), keepdims });
  }

  /**
   * The transpose of broadcasting: gradient of an input of shape `to` from a (narrow)
   * gradient of an output of shape `from` that the input was broadcast to. Sums over
   * broadcast axes; an axis along which the gradient is constant is multiplied by its length.
   */
  reduceTo(gradient: Value, from: Shape, to: Shape): Value {
    const missing = from.length - to.length;
    const narrow = from.length - gradient.shape.length;
    const summed: number[] = [];
    let leading = 0;
    let copies = 1;
    from.forEach((outer, axis) => {
      const inner = axis < missing ? undefined : to[axis - missing];
      const own = axis < narrow ? undefined : gradient.shape[axis - narrow];
      if (inner === undefined && own !== undefined) leading++;
      if (inner !== undefined && !(inner === 1 && outer !== 1)) return;
      if (own === undefined || own === 1)
        copies *=
          staticShape([outer], `gradient through a broadcast of ${formatShape(to)} to ${formatShape(from)}`)[0] ?? 1;
      else summed.push(axis - narrow);
    });
    // A sum over leading axes alone can drop them in the same node.
    const onlyLeading = leading > 0 && summed.length > 0 && summed.every((axis) => axis < leading);
    const total = onlyLeading
      ? this.sum(
          gradient,
          gradient.shape.slice(0, leading).map((_, i) => i),
          false,
        )
      : this.sum(gradient, summed);
    const dropped = onlyLeading || leading === 0 ? total : this.#dropLeading(total, leading);
    return copies === 1 ? dropped : this.scale(dropped, copies);
  }

  #dropLeading(a: Value, count: number): Value {
    const number = this.scalarOf(a);
    if (number !== undefined) return this.scalar(number, a.type);
    return this.emit("Squeeze", [a, this.ints(Array.from({ length: count }, (_, i) => i))]);
  }

  // ---- linear algebra ------------------------------------------------------------

  matmul(a: Value, b: Value): Value {
    return this.emit("MatMul", [a, b]);
  }

  /** `alpha · op(a) · op(b)` on matrices. */
  gemm(a: Value, b: Value, transA: boolean, transB: boolean, alpha = 1): Value {
    return this.emit("Gemm", [a, b], {
      ...(transA ? { transA: attr.int(1) } : {}),
      ...(transB ? { transB: attr.int(1) } : {}),
      ...(alpha === 1 ? {} : { alpha: attr.float(alpha) }),
    });
  }

  // ---- indexing ------------------------------------------------------------------

  gather(data: Value, indices: Value, axis: number): Value {
    return this.emit("Gather", [data, indices], { axis: attr.int(axis) });
  }

  gatherElements(data: Value, indices: Value, axis: number): Value {
    return this.emit("GatherElements", [data, indices], { axis: attr.int(axis) });
  }

  /** Zeros of `shape` with `updates` added at `indices` along `axis`; repeated indices add up. */
  scatterSum(shape: readonly number[], indices: Value, updates: Value, axis: number): Value {
    return this.scatterInto(this.zeros(updates.type, shape), indices, updates, axis);
  }

  /** Zeros of the shape of `like`, whose sizes may be known only when the graph runs. */
  zerosLike(like: Value, type: DataType): Value {
    return this.emit("Expand", [this.scalar(0, type), this.emit("Shape", [like])]);
  }

  /** `data` with `updates` added at `indices` along `axis`. */
  scatterInto(data: Value, indices: Value, updates: Value, axis: number): Value {
    // Not ScatterND with `add`: ONNX Runtime's CPU kernel (1.30) loses additions to
    // repeated indices when it runs on more than one thread.
    return this.emit("ScatterElements", [data, indices, updates], {
      axis: attr.int(axis),
      reduction: attr.string("add"),
    });
  }

  /** Indices with negative ones counted from the end of a dimension of `size`; constants that need it not stay as they are. */
  wrapIndices(indices: Value, size: number): Value {
    const constant = this.constantOf(indices);
    if (constant !== undefined) {
      const values = numbersOf(constant);
      if (values.every((value) => value >= 0)) return indices;
      return this.indices(
        values.map((value) => (value < 0 ? value + size : value)),
        constant.shape,
        indices.type,
      );
    }
    const zero = this.indices([0], [], indices.type);
    return this.where(
      this.compare("Less", indices, zero),
      this.add(indices, this.indices([size], [], indices.type)),
      indices,
    );
  }

  /** 0, 1, … size − 1 along `axis` of a tensor of `rank`. */
  range(size: number, axis: number, rank: number, like: DataType): Value {
    const key = `range ${size} ${axis} ${rank} ${like}`;
    const known = this.#ranges.get(key);
    if (known !== undefined) return known;
    const shape = Array.from({ length: rank }, (_, i) => (i === axis ? size : 1));
    const range = this.indices(
      Array.from({ length: size }, (_, i) => i),
      shape,
      like,
    );
    this.#ranges.set(key, range);
    return range;
  }

  /** Product of the dimensions of a static shape. */
  count(shape: Shape, where: string): number {
    return elementCount(staticShape(shape, where));
  }
}
