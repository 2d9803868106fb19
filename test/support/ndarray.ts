/**
 * @file Small dense arrays of float64 for the reference evaluator: broadcasting,
 * strides, index iteration. Slow and plain on purpose; shares no code with `src`.
 */

/** A row-major array; integers and booleans (0/1) are held as float64 too. */
export interface NdArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

export function zeros(shape: readonly number[]): NdArray {
  return { shape: [...shape], data: new Float64Array(sizeOf(shape)) };
}

export function array(shape: readonly number[], values: ArrayLike<number>): NdArray {
  if (values.length !== sizeOf(shape)) throw new Error(`array: ${values.length} values for [${shape}]`);
  return { shape: [...shape], data: Float64Array.from(values) };
}

export function stridesFor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** Calls `visit(index, flat)` for every index of `shape` in row-major order; `index` is reused. */
export function forEachIndex(shape: readonly number[], visit: (index: readonly number[], flat: number) => void): void {
  const index = new Array<number>(shape.length).fill(0);
  const total = sizeOf(shape);
  for (let flat = 0; flat < total; flat++) {
    visit(index, flat);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
}

export function broadcastTo(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, i) => {
    let out = 1;
    for (const s of shapes) {
      const d = s[i - rank + s.length] ?? 1;
      if (d !== 1 && out !== 1 && d !== out) throw new Error(`broadcast ${JSON.stringify(shapes)}`);
      if (d !== 1) out = d;
    }
    return out;
  });
}

/** Element of `a` at an index of a shape that `a` broadcasts to. */
export function at(a: NdArray, index: readonly number[]): number {
  let flat = 0;
  const offset = index.length - a.shape.length;
  for (let i = 0; i < a.shape.length; i++) flat = flat * a.shape[i]! + (a.shape[i] === 1 ? 0 : index[i + offset]!);
  return a.data[flat]!;
}

/** Elementwise function of any number of arrays, broadcast together. */
export function map(f: (...values: number[]) => number, ...inputs: readonly NdArray[]): NdArray {
  const out = zeros(broadcastTo(inputs.map((a) => a.shape)));
  forEachIndex(out.shape, (index, flat) => {
    out.data[flat] = f(...inputs.map((a) => at(a, index)));
  });
  return out;
}

/** Array whose element at `index` is `f(index)`. */
export function generate(shape: readonly number[], f: (index: readonly number[]) => number): NdArray {
  const out = zeros(shape);
  forEachIndex(shape, (index, flat) => {
    out.data[flat] = f(index);
  });
  return out;
}

export function reshape(a: NdArray, shape: readonly number[]): NdArray {
  if (sizeOf(shape) !== a.data.length) throw new Error(`reshape [${a.shape}] to [${shape}]`);
  return { shape: [...shape], data: a.data };
}

export function axisOf(axis: number, rank: number): number {
  const out = axis < 0 ? axis + rank : axis;
  if (out < 0 || out >= Math.max(rank, 1)) throw new Error(`axis ${axis} of rank ${rank}`);
  return out;
}

/** Folds the given axes: `f` gets all values that share the other indices. */
export function reduce(
  a: NdArray,
  axes: readonly number[],
  keepDims: boolean,
  f: (values: number[]) => number,
): NdArray {
  const kept = a.shape.map((d, i) => (axes.includes(i) ? 1 : d));
  const groups = Array.from({ length: sizeOf(kept) }, () => [] as number[]);
  const strides = stridesFor(kept);
  forEachIndex(a.shape, (index, flat) => {
    let to = 0;
    index.forEach((p, i) => {
      if (!axes.includes(i)) to += p * strides[i]!;
    });
    groups[to]!.push(a.data[flat]!);
  });
  return array(keepDims ? kept : a.shape.filter((_, i) => !axes.includes(i)), groups.map(f));
}

export function transpose(a: NdArray, perm: readonly number[]): NdArray {
  return generate(
    perm.map((p) => a.shape[p]!),
    (index) => {
      const from = new Array<number>(index.length);
      perm.forEach((p, i) => {
        from[p] = index[i]!;
      });
      return at(a, from);
    },
  );
}

export function matmul(a: NdArray, b: NdArray): NdArray {
  const a2 = a.shape.length === 1 ? reshape(a, [1, a.shape[0]!]) : a;
  const b2 = b.shape.length === 1 ? reshape(b, [b.shape[0]!, 1]) : b;
  const [m, k] = a2.shape.slice(-2) as [number, number];
  const [k2, n] = b2.shape.slice(-2) as [number, number];
  if (k !== k2) throw new Error(`matmul [${a.shape}] [${b.shape}]`);
  const batch = broadcastTo([a2.shape.slice(0, -2), b2.shape.slice(0, -2)]);
  const out = generate([...batch, m, n], (index) => {
    const lead = index.slice(0, -2);
    const [i, j] = index.slice(-2) as [number, number];
    let sum = 0;
    for (let p = 0; p < k; p++) sum += at(a2, [...lead, i, p]) * at(b2, [...lead, p, j]);
    return sum;
  });
  const shape = [...batch, ...(a.shape.length === 1 ? [] : [m]), ...(b.shape.length === 1 ? [] : [n])];
  return reshape(out, shape);
}
