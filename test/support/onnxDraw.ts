/**
 * @file Random choices of operands for operator tests: shapes, axes, values, tensors.
 * The operators themselves are in `onnxCases.ts`.
 */
import fc from "fast-check";
import type { Rng } from "../../src/core/rng.ts";
import { elementCount } from "../../src/onnx/shapes.ts";
import type { Attributes, DataType, Tensor } from "../../src/onnx/types.ts";

/** One input: a value fed at run time, or a constant of the graph. */
export interface Operand {
  readonly tensor: Tensor;
  readonly constant: boolean;
}

export interface OnnxCase {
  readonly opType: string;
  readonly inputs: readonly (Operand | undefined)[];
  readonly attributes: Attributes;
  readonly domain: string;
  readonly opset: number;
  readonly outputCount: number;
}

export type CaseParts = Partial<Omit<OnnxCase, "opType">> & Pick<OnnxCase, "inputs">;

/** Where the random choices come from. */
export interface DrawSource {
  /** Uniform integer in [min, max]. */
  integer(min: number, max: number): number;
  /** Some or all of the items, at least `least`, in random order. */
  subset<T>(items: readonly T[], least: number): T[];
}

/** Choices by fast-check: they shrink. */
export function fromFastCheck(gen: fc.GeneratorValue): DrawSource {
  return {
    integer: (min, max) => gen(fc.integer, { min, max }),
    subset: <T>(items: readonly T[], least: number) => gen(() => fc.shuffledSubarray([...items], { minLength: least })),
  };
}

/** Choices by the project's seeded generator: the same in every version of fast-check. */
export function fromRng(rng: Rng): DrawSource {
  return {
    integer: (min, max) => rng.integer(min, max),
    subset: (items, least) => rng.shuffle(items).slice(0, rng.integer(least, items.length)),
  };
}

/** Draws of one random case; small sizes so that equal and broadcast ones are common. */
export class Draw {
  readonly #source: DrawSource;

  constructor(source: DrawSource) {
    this.#source = source;
  }

  int(min: number, max: number): number {
    return this.#source.integer(min, max);
  }

  bool(): boolean {
    return this.int(0, 1) === 1;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)]!;
  }

  dims(rank: number, max = 4): number[] {
    return Array.from({ length: rank }, () => this.int(1, max));
  }

  shape(minRank = 0, maxRank = 4): number[] {
    return this.dims(this.int(minRank, maxRank));
  }

  /** An axis in [−rank, rank). */
  axis(rank: number): number {
    return this.int(-rank, rank - 1);
  }

  /** A random subset of the axes, some written negative. */
  axes(rank: number, least = 0): number[] {
    const all = this.#source.subset(
      Array.from({ length: rank }, (_, i) => i),
      Math.min(least, rank),
    );
    return all.map((axis) => (this.bool() ? axis : axis - rank));
  }

  permutation(rank: number): number[] {
    return this.#source.subset(
      Array.from({ length: rank }, (_, i) => i),
      rank,
    );
  }

  /** Shapes that broadcast together, and the result. */
  broadcastable(count: number): { readonly shapes: number[][]; readonly result: number[] } {
    const result = this.shape();
    const shapes = Array.from({ length: count }, () => {
      const rank = this.int(0, result.length);
      return result.slice(result.length - rank).map((dim) => (this.int(0, 3) === 0 ? 1 : dim));
    });
    return { shapes, result };
  }

  /** A tensor of small values fed at run time. */
  fed(shape: readonly number[], type: DataType = "float32", min = 1, max = 3): Operand {
    return {
      tensor: tensorOf(
        type,
        shape,
        Array.from({ length: elementCount(shape) }, () => this.int(min, max)),
      ),
      constant: false,
    };
  }
}

/** A tensor with the given numbers. */
export function tensorOf(type: DataType, shape: readonly number[], values: readonly number[]): Tensor {
  switch (type) {
    case "float32":
      return { type, shape, data: Float32Array.from(values) };
    case "float64":
      return { type, shape, data: Float64Array.from(values) };
    case "float16":
      return { type, shape, data: Uint16Array.from(values, (x) => [0, 0x3c00, 0x4000, 0x4200][x] ?? 0x4400) };
    case "int32":
      return { type, shape, data: Int32Array.from(values) };
    case "int64":
      return { type, shape, data: BigInt64Array.from(values, BigInt) };
    case "int8":
      return { type, shape, data: Int8Array.from(values) };
    case "uint8":
      return { type, shape, data: Uint8Array.from(values) };
    case "bool":
      return { type, shape, data: Uint8Array.from(values, (x) => x & 1) };
  }
}

/** An int64 vector (or scalar) that is a constant of the graph. */
export function constant(values: readonly number[], scalar = false, type: DataType = "int64"): Operand {
  return { tensor: tensorOf(type, scalar ? [] : [values.length], values), constant: true };
}
