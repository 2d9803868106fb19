/**
 * @file The plane in which a cloud of points spreads most: principal component analysis
 * by orthogonal iteration (Golub and Van Loan, Matrix Computations, 8.2.4), which never
 * forms the covariance. For drawing, so the iteration stops where an eye sees no change.
 */
import { badInput } from "./errors.ts";

/** A plane in D dimensions with the origin at the points' mean. Plain arrays: it may cross to a worker. */
export interface Plane {
  /** [D] */
  readonly mean: Float64Array;
  /** Two orthonormal directions [D] each, the one of more variance first; the largest entry of each is positive. */
  readonly axes: readonly [Float64Array, Float64Array];
  /** Share of all variance along each, 0…1. */
  readonly explained: readonly [number, number];
}

const MAX_ITERATIONS = 300;
/** Change of direction (1 − cosine) that nobody sees. */
const TOLERANCE = 1e-10;

/** First two principal components of `points`, all of one length D ≥ 2. Points without spread have axes of zero share. */
export function principalPlane(points: readonly Float64Array[]): Plane {
  const size = points[0]?.length ?? 0;
  if (size < 2 || points.some(({ length }) => length !== size))
    badInput(
      "principal components",
      "points of one length, at least 2",
      `${points.length} points, the first of ${size}`,
    );
  const mean = new Float64Array(size);
  for (const point of points) for (let d = 0; d < size; d++) mean[d] = (mean[d] ?? 0) + (point[d] ?? 0) / points.length;
  const centred = points.map((point) => point.map((value, d) => value - (mean[d] ?? 0)));
  const total = centred.reduce((sum, point) => sum + dot(point, point), 0);

  // Starts from the two coordinates that vary most: seeded by the data, so that it draws no random number.
  const spread = Array.from({ length: size }, (_, d) => centred.reduce((sum, point) => sum + (point[d] ?? 0) ** 2, 0));
  const order = spread.map((_, d) => d).sort((a, b) => (spread[b] ?? 0) - (spread[a] ?? 0) || a - b);
  let [u, v] = [0, 1].map((rank) => {
    const axis = Float64Array.from({ length: size }, (_, d) => 1e-3 / (1 + d + rank * size));
    axis[order[rank] ?? rank] = 1;
    return axis;
  }) as [Float64Array, Float64Array];
  for (let i = 0; i < MAX_ITERATIONS; i++) {
    const next = orthonormal(applyCovariance(centred, u), applyCovariance(centred, v));
    const moved = 2 - Math.abs(dot(next[0], u)) - Math.abs(dot(next[1], v));
    [u, v] = next;
    if (moved < TOLERANCE) break;
  }
  // Inside the plane, turned to its own main directions.
  const [a, b, c] = centred.reduce(
    ([uu, uv, vv], point) => {
      const [x, y] = [dot(point, u), dot(point, v)];
      return [uu + x * x, uv + x * y, vv + y * y] as const;
    },
    [0, 0, 0] as readonly [number, number, number],
  );
  const angle = Math.atan2(2 * b, a - c) / 2;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const axes = [
    positive(u.map((value, d) => cos * value + sin * (v[d] ?? 0))),
    positive(u.map((value, d) => cos * (v[d] ?? 0) - sin * value)),
  ] as const;
  const share = (axis: Float64Array): number =>
    total === 0 ? 0 : centred.reduce((sum, point) => sum + dot(point, axis) ** 2, 0) / total;
  return { mean, axes, explained: [share(axes[0]), share(axes[1])] };
}

/** Coordinates of a point in the plane. */
export function projectOnto({ mean, axes }: Plane, point: Float64Array): readonly [number, number] {
  const centred = point.map((value, d) => value - (mean[d] ?? 0));
  return [dot(centred, axes[0]), dot(centred, axes[1])];
}

/** `Xᵀ(Xa)`: the covariance times a direction, up to a factor. */
function applyCovariance(points: readonly Float64Array[], axis: Float64Array): Float64Array {
  const out = new Float64Array(axis.length);
  for (const point of points) {
    const along = dot(point, axis);
    for (let d = 0; d < out.length; d++) out[d] = (out[d] ?? 0) + along * (point[d] ?? 0);
  }
  return out;
}

/** Below this share of a vector, what is left of it after taking a direction out is rounding. */
const ROUNDING = 1e-9;

/** Two orthonormal directions in the span of `a` and `b` (Gram and Schmidt); any where they have no two. */
function orthonormal(a: Float64Array, b: Float64Array): [Float64Array, Float64Array] {
  const u = unit(a) ?? coordinate(a.length, 0);
  const rest = without(u, b);
  const v = dot(rest, rest) > ROUNDING ** 2 * dot(b, b) ? unit(without(u, rest)) : undefined;
  if (v !== undefined) return [u, v];
  const least = u.reduce((best, value, d) => (Math.abs(value) < Math.abs(u[best] ?? 0) ? d : best), 0);
  return [u, unit(without(u, coordinate(u.length, least))) ?? coordinate(u.length, least)];
}

/** `b` less its part along the unit vector `u`. */
function without(u: Float64Array, b: Float64Array): Float64Array {
  const along = dot(u, b);
  return b.map((value, d) => value - along * (u[d] ?? 0));
}

function unit(vector: Float64Array): Float64Array | undefined {
  const norm = Math.sqrt(dot(vector, vector));
  return norm > 0 ? vector.map((value) => value / norm) : undefined;
}

function coordinate(size: number, at: number): Float64Array {
  return Float64Array.from({ length: size }, (_, d) => (d === at ? 1 : 0));
}

function positive(axis: Float64Array): Float64Array {
  const largest = axis.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  return largest < 0 ? axis.map((value) => -value) : axis;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += (a[d] ?? 0) * (b[d] ?? 0);
  return sum;
}
