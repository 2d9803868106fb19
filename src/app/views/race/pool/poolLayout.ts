/**
 * @file Where each seed of the pool stands: one row per level, x by loss to the
 * nearest column one mark wide, marks of a column stacked so that they do not hide
 * each other. Pure. A seed without a finite loss
 * is not placed but counted.
 */
import { invariant } from "../../../../core/errors.ts";
import type { PoolItem } from "../../../../loop/records.ts";
import type { Scale } from "../../../../charts/scale.ts";
import { linearScale, niceDomain } from "../../../../charts/scale.ts";

/** How many marks across a column of one mark's width; small marks where there are many. */
export function markSizeFor(count: number): number {
  return count <= 400 ? 11 : count <= 1200 ? 8 : 6;
}

/** Which loss places the marks: of the student's own answer or of the worked answer. */
export type LossKind = "own" | "true";

export interface PoolMark {
  readonly item: PoolItem;
  /** The item's place in the pool. */
  readonly index: number;
  readonly loss: number;
  readonly x: number;
  readonly y: number;
}

export interface PoolRow {
  readonly level: string;
  readonly top: number;
  readonly bottom: number;
  readonly total: number;
  /** Seeds the student answers correctly; undefined when nothing was answered. */
  readonly correct: number | undefined;
}

export interface PoolLayout {
  readonly height: number;
  readonly x: Scale;
  readonly rows: readonly PoolRow[];
  /** In order of loss, lowest first: the order of the arrow keys. */
  readonly marks: readonly PoolMark[];
  /** Seeds without this loss. */
  readonly unplaced: number;
  /** Seeds beyond the ends of the axis. */
  readonly outside: number;
}

export interface PoolLayoutOptions {
  readonly width: number;
  readonly lossKind: LossKind;
  /** Left end of the loss axis in nats; 0 by default. What lies outside is not placed. */
  readonly minLoss?: number;
  /** Right end of the loss axis in nats. */
  readonly maxLoss: number;
  readonly markSize: number;
}

const MARGIN = { left: 12, right: 16, axis: 40 } as const;
const ROW = { label: 20, gap: 8, minHeight: 30, maxHeight: 116 } as const;

/** The loss that places a seed, when it is there and finite. */
export function lossOf(item: PoolItem, kind: LossKind): number | undefined {
  const loss = kind === "own" ? item.ownLoss : item.trueLoss;
  return loss !== undefined && Number.isFinite(loss) ? loss : undefined;
}

/** A round number of nats that no seed of the pools exceeds; 1 where nothing has a loss. */
export function maxLossOf(pools: readonly (readonly PoolItem[])[], kind: LossKind): number {
  let max = 0;
  for (const pool of pools) for (const item of pool) max = Math.max(max, lossOf(item, kind) ?? 0);
  return max > 0 ? niceDomain(0, max, 5)[1] : 1;
}

const byNumber = new Intl.Collator("en", { numeric: true });

/** Places the pool on a plot `width` pixels wide; the height follows from the fullest stacks. */
export function layoutPool(
  items: readonly PoolItem[],
  { width, lossKind, minLoss = 0, maxLoss, markSize }: PoolLayoutOptions,
): PoolLayout {
  const x = linearScale(
    [minLoss, maxLoss],
    [MARGIN.left + markSize, Math.max(MARGIN.left + markSize + 1, width - MARGIN.right - markSize)],
  );
  const columns = Math.max(1, Math.floor((x.range[1] - x.range[0]) / markSize));
  const { indices, losses, levels, levelOf } = orderByLoss(items, lossKind);
  const builders = levels.map(() => newRow(columns));
  // Lowest loss first: marks come in the order of the arrow keys, and every stack in its own.
  const columnOf = new Int32Array(indices.length).fill(-1);
  const heightOf = new Int32Array(indices.length);
  let unplaced = 0;
  let outside = 0;
  for (let i = 0; i < indices.length; i++) {
    const row = builders[levelOf[i] ?? 0];
    const item = items[indices[i] ?? 0];
    invariant(row !== undefined && item !== undefined, "every level has a row");
    row.total++;
    if (item.correct !== undefined) row.answered++;
    if (item.correct === true) row.correct++;
    const loss = losses[i] ?? Number.POSITIVE_INFINITY;
    if (loss === Number.POSITIVE_INFINITY) {
      unplaced++;
      continue;
    }
    const share = (loss - minLoss) / (maxLoss - minLoss);
    // The ends of the whole axis are round numbers: rounding may not lose a seed there.
    if (share < 0 || share > 1 + 1e-9) {
      outside++;
      continue;
    }
    const column = Math.round(Math.min(1, share) * columns);
    const depth = row.depths[column] ?? 0;
    columnOf[i] = column;
    heightOf[i] = depth;
    row.depths[column] = depth + 1;
  }
  const rows: PoolRow[] = [];
  let top = 0;
  builders.forEach((row, i) => {
    const deepest = row.depths.reduce((most, depth) => Math.max(most, depth), 0);
    row.height = Math.min(ROW.maxHeight, Math.max(ROW.minHeight, deepest * markSize + 6));
    row.bottom = top + ROW.label + row.height;
    const { total, answered, correct, bottom } = row;
    rows.push({ level: levels[i] ?? "", top, bottom, total, correct: answered === 0 ? undefined : correct });
    top = bottom + ROW.gap;
  });
  const marks: PoolMark[] = [];
  for (let i = 0; i < indices.length; i++) {
    const column = columnOf[i] ?? -1;
    if (column < 0) continue;
    const index = indices[i] ?? 0;
    const [row, item] = [builders[levelOf[i] ?? 0], items[index]];
    invariant(row !== undefined && item !== undefined, "what has a column has a row");
    // A stack too deep for its row is pressed together instead of growing out of it.
    const pitch = Math.min(markSize, (row.height - markSize) / Math.max(1, (row.depths[column] ?? 1) - 1));
    marks.push({
      item,
      index,
      loss: losses[i] ?? 0,
      x: x(minLoss + (column / columns) * (maxLoss - minLoss)),
      y: row.bottom - markSize / 2 - 2 - (heightOf[i] ?? 0) * pitch,
    });
  }
  return { height: top + MARGIN.axis, x, rows, marks, unplaced, outside };
}

/** A row while seeds are being placed. */
interface RowBuilder {
  total: number;
  answered: number;
  correct: number;
  height: number;
  bottom: number;
  /** Seeds in each column. */
  readonly depths: Int32Array;
}

function newRow(columns: number): RowBuilder {
  return { total: 0, answered: 0, correct: 0, height: 0, bottom: 0, depths: new Int32Array(columns + 1) };
}

interface LossOrder {
  /** Places in the pool: lowest loss first, those without one last; seeds of equal loss in the pool's order. */
  readonly indices: Int32Array;
  /** Of each in this order; infinite where there is none. */
  readonly losses: Float64Array;
  readonly levels: readonly string[];
  /** Of each in this order, which of `levels`. */
  readonly levelOf: Int32Array;
}

/** Orders that were made, by pool: zooming and resizing place the same seeds again. */
const ORDERS: Readonly<Record<LossKind, WeakMap<readonly PoolItem[], LossOrder>>> = {
  own: new WeakMap(),
  true: new WeakMap(),
};

function orderByLoss(items: readonly PoolItem[], kind: LossKind): LossOrder {
  const known = ORDERS[kind].get(items);
  if (known !== undefined) return known;
  const losses = Float64Array.from(items, (item) => lossOf(item, kind) ?? Number.POSITIVE_INFINITY);
  const indices = Int32Array.from(items.keys()).sort((a, b) => {
    const [left, right] = [losses[a] ?? 0, losses[b] ?? 0];
    return left < right ? -1 : left > right ? 1 : a - b;
  });
  const levels = [...new Set(items.map(({ level }) => level))].sort(byNumber.compare);
  const rank = new Map(levels.map((level, i) => [level, i]));
  const order: LossOrder = {
    indices,
    losses: Float64Array.from(indices, (index) => losses[index] ?? 0),
    levels,
    levelOf: Int32Array.from(indices, (index) => rank.get(items[index]?.level ?? "") ?? 0),
  };
  ORDERS[kind].set(items, order);
  return order;
}

/** A seed's place by hidden states. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** Ends of a plane's axes. */
export interface PlaneDomain {
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
}

/** Ends that hold all places with a little room; one unit wide where nothing spreads. */
export function planeDomain(maps: readonly ReadonlyMap<string, Place>[]): PlaneDomain {
  const all = maps.flatMap((places) => [...places.values()]);
  const ends = (values: readonly number[]): readonly [number, number] => {
    if (values.length === 0) return [-1, 1];
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    const room = high > low ? (high - low) * 0.04 : 1;
    return [low - room, high + room];
  };
  return { x: ends(all.map(({ x }) => x)), y: ends(all.map(({ y }) => y)) };
}

/** The pool as a cloud: `places` in a plot of this size, one unit as long across as up. */
export function layoutPlane(
  items: readonly PoolItem[],
  places: ReadonlyMap<string, Place>,
  {
    width,
    height,
    domain,
    lossKind,
  }: {
    readonly width: number;
    readonly height: number;
    readonly domain: PlaneDomain;
    readonly lossKind: LossKind;
  },
): PoolLayout {
  const [left, right] = [MARGIN.left, Math.max(MARGIN.left + 1, width - MARGIN.right)];
  const [top, bottom] = [8, Math.max(9, height - 26)];
  const [spanX, spanY] = [domain.x[1] - domain.x[0], domain.y[1] - domain.y[0]];
  const unit = Math.min((right - left) / spanX, (bottom - top) / spanY);
  const [midX, midY] = [(domain.x[0] + domain.x[1]) / 2, (domain.y[0] + domain.y[1]) / 2];
  const halfX = (right - left) / unit / 2;
  const marks: PoolMark[] = [];
  let outside = 0;
  items.forEach((item, index) => {
    const place = places.get(item.id);
    if (place === undefined) return;
    const x = (left + right) / 2 + (place.x - midX) * unit;
    const y = (top + bottom) / 2 - (place.y - midY) * unit;
    if (x < left - 1 || x > right + 1 || y < top - 1 || y > bottom + 1) outside++;
    else marks.push({ item, index, loss: lossOf(item, lossKind) ?? Number.NaN, x, y });
  });
  marks.sort((a, b) => a.x - b.x || a.y - b.y);
  return {
    height,
    x: linearScale([midX - halfX, midX + halfX], [left, right]),
    rows: [],
    marks,
    unplaced: items.length - marks.length - outside,
    outside,
  };
}
