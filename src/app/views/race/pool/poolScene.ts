/**
 * @file The pool as numbers and as pixels: where every mark stands, and its drawing on three
 * canvases, links below the marks and what is pointed at above them, because thousands of
 * elements would not stay smooth.
 */
import type { Child, PickInfo } from "../../../laneState.ts";
import { invariant } from "../../../../core/errors.ts";
import type { PoolItem } from "../../../../loop/records.ts";
import type { PoolMark } from "./poolLayout.ts";
import type { Raster, Stamp } from "./poolRaster.ts";
import { putStamp, rasterOf, stampOf } from "./poolRaster.ts";

export interface Scene {
  readonly pool: readonly PoolItem[];
  readonly marks: readonly PoolMark[];
  /** Which of the marks stands for each item of the pool, -1 for none. */
  readonly markOf: Int32Array;
  /** Where the marks belong: x, y of each. */
  readonly places: Float32Array;
  /** What the student makes of each: an index into `VERDICTS`. */
  readonly verdicts: Uint8Array;
  readonly picked: Uint8Array;
  /** 1: drawn faintly, because the filter leaves it out. */
  readonly faint: Uint8Array;
  readonly markSize: number;
  readonly children: readonly {
    readonly child: Child;
    readonly parent: number;
    readonly x: number;
    readonly y: number;
  }[];
}

/** The student's answer, and the stamps that say so. */
const VERDICTS = ["unknown", "wrong", "right"] as const;

/** Height of the row in which new pairs stand. */
export const SHELF_PX = 30;

/** The scene of a layout of `pool`. New pairs stand in a row whose middle is at `shelfY`, each below its seed where there is room. */
export function makeScene(options: {
  readonly pool: readonly PoolItem[];
  readonly marks: readonly PoolMark[];
  readonly picks: ReadonlyMap<string, PickInfo>;
  readonly children: readonly Child[];
  readonly shows: ((item: PoolItem, pick: PickInfo | undefined) => boolean) | undefined;
  readonly markSize: number;
  readonly width: number;
  readonly shelfY: number;
}): Scene {
  const { pool, marks, picks, children, shows, markSize, width, shelfY } = options;
  const markOf = new Int32Array(pool.length).fill(-1);
  const places = new Float32Array(2 * marks.length);
  const verdicts = new Uint8Array(marks.length);
  const faint = new Uint8Array(marks.length);
  marks.forEach(({ item, index, x, y }, i) => {
    markOf[index] = i;
    places[2 * i] = x;
    places[2 * i + 1] = y;
    verdicts[i] = item.correct === undefined ? 0 : item.correct ? 2 : 1;
    if (shows?.(item, picks.get(item.id)) === false) faint[i] = 1;
  });
  const indexOf = (id: string): number => markOf[indexIn(pool, id)] ?? -1;
  const picked = new Uint8Array(marks.length);
  for (const id of picks.keys()) {
    const at = indexOf(id);
    if (at >= 0) picked[at] = 1;
  }
  const placed = children
    .flatMap((child) => {
      const parent = indexOf(child.seedId);
      const mark = marks[parent];
      return mark === undefined ? [] : [{ child, parent, x: mark.x }];
    })
    .sort((a, b) => a.x - b.x);
  const pitch = Math.min(9, Math.max(1, (width - 20) / Math.max(1, placed.length)));
  let next = 10;
  const forward = placed.map((one) => {
    const x = Math.max(next, one.x);
    next = x + pitch;
    return x;
  });
  // What was pushed beyond the right end is pushed back.
  let limit = width - 10;
  for (let i = placed.length - 1; i >= 0; i--) {
    const x = Math.min(limit, forward[i] ?? limit);
    forward[i] = x;
    limit = x - pitch;
  }
  return {
    pool,
    marks,
    markOf,
    places,
    verdicts,
    picked,
    faint,
    markSize,
    children: placed.map((one, i) => ({ child: one.child, parent: one.parent, x: forward[i] ?? one.x, y: shelfY })),
  };
}

/** Index of the seed's mark, -1 for none. */
export function markAt({ pool, markOf }: Scene, id: string): number {
  return markOf[indexIn(pool, id)] ?? -1;
}

/** Places of seeds in the pool, by pool: zooming, picking and pointing ask about the same seeds again. */
const PLACES = new WeakMap<readonly PoolItem[], ReadonlyMap<string, number>>();

/** The seed's place in the pool, -1 for none. */
function indexIn(pool: readonly PoolItem[], id: string): number {
  let known = PLACES.get(pool);
  if (known === undefined) PLACES.set(pool, (known = new Map(pool.map((item, index) => [item.id, index]))));
  return known.get(id) ?? -1;
}

/** Where the marks of `scene` stood in a scene before: x, y of each, NaN for those that are new. */
export function startsOf(scene: Scene, before: Scene, positions: Float32Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(2 * scene.marks.length);
  const samePool = before.pool === scene.pool;
  scene.marks.forEach(({ item, index }, i) => {
    const at = samePool ? (before.markOf[index] ?? -1) : markAt(before, item.id);
    out[2 * i] = positions[2 * at] ?? Number.NaN;
    out[2 * i + 1] = positions[2 * at + 1] ?? Number.NaN;
  });
  return out;
}

/** Where marks are while they move: `t` of the way, 0…1, from where `starts` has them; new ones stand where they belong. */
export function positionsAt({ places }: Scene, starts: Float32Array | null, t: number): Float32Array {
  if (starts === null || t >= 1) return places;
  const left = (1 - t) ** 3;
  return places.map((to, i) => {
    const from = starts[i] ?? Number.NaN;
    return Number.isNaN(from) ? to : to + (from - to) * left;
  });
}

/** Index of the mark nearest to a point within `reach` pixels; -1 for none. */
export function nearest(positions: Float32Array, x: number, y: number, reach: number): number {
  let best = -1;
  let least = reach * reach;
  for (let i = 0; 2 * i < positions.length; i++) {
    const distance = ((positions[2 * i] ?? 0) - x) ** 2 + ((positions[2 * i + 1] ?? 0) - y) ** 2;
    if (distance <= least) {
      least = distance;
      best = i;
    }
  }
  return best;
}

/** Colours of the drawing, from the page's tokens. */
export interface Palette {
  readonly right: string;
  readonly wrong: string;
  readonly unknown: string;
  readonly surface: string;
  readonly ink: string;
  readonly lane: string;
  readonly focus: string;
}

const FAINT = 0.12;

export interface CanvasSize {
  readonly width: number;
  readonly height: number;
  /** Device pixels per CSS pixel. */
  readonly scale: number;
}

/** Draws the marks in place of what the canvas shows. `image` is written over; its size is the canvas's, in device pixels. */
export function drawMarks(
  context: CanvasRenderingContext2D,
  scene: Scene,
  positions: Float32Array,
  palette: Palette,
  { scale }: CanvasSize,
  image: ImageData,
): void {
  const raster = rasterOf(image);
  raster.words.fill(0);
  putMarks(raster, scene, positions, stampsOf(scene.markSize, palette, scale), scale);
  context.putImageData(image, 0, 0);
}

/** Writes the marks: those that the filter leaves out first, then the others over them. */
export function putMarks(raster: Raster, scene: Scene, positions: Float32Array, stamps: Stamps, scale: number): void {
  const { verdicts, picked, faint } = scene;
  const byVerdict = VERDICTS.map((verdict) => stamps[verdict]);
  for (const [now, alpha] of [
    [1, FAINT],
    [0, 1],
  ] as const)
    for (let i = 0; i < verdicts.length; i++) {
      if (faint[i] !== now) continue;
      const x = (positions[2 * i] ?? 0) * scale;
      const y = (positions[2 * i + 1] ?? 0) * scale;
      putStamp(raster, byVerdict[verdicts[i] ?? 0] ?? stamps.unknown, x, y, alpha);
      if (picked[i] === 1) putStamp(raster, stamps.ring, x, y, alpha);
    }
}

/** Draws the new pairs and the links to them, on a canvas below the marks. */
export function drawChildrenAndLinks(
  context: CanvasRenderingContext2D,
  scene: Scene,
  positions: Float32Array,
  palette: Palette,
  size: CanvasSize,
): void {
  clear(context, size);
  const alpha = Math.min(0.4, 12 / Math.max(1, scene.children.length));
  drawLinks(context, scene, positions, palette, alpha, () => true);
  drawChildren(context, scene, palette);
}

/** Draws what is pointed at, on a canvas above the scene's: its ring, and the links to its new pairs. -1 for nothing. */
export function drawPointed(
  context: CanvasRenderingContext2D,
  scene: Scene,
  positions: Float32Array,
  palette: Palette,
  size: CanvasSize,
  pointed: number,
): void {
  clear(context, size);
  if (pointed < 0) return;
  drawLinks(context, scene, positions, palette, 1, (parent) => parent === pointed);
  context.strokeStyle = palette.focus;
  context.lineWidth = 3;
  context.beginPath();
  const radius = Math.max(6, scene.markSize * 0.65);
  context.arc(positions[2 * pointed] ?? 0, positions[2 * pointed + 1] ?? 0, radius, 0, 2 * Math.PI);
  context.stroke();
}

function clear(context: CanvasRenderingContext2D, { width, height, scale }: CanvasSize): void {
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
}

/** The pictures of marks. */
export interface Stamps {
  readonly right: Stamp;
  readonly wrong: Stamp;
  readonly unknown: Stamp;
  readonly ring: Stamp;
}

/** The stamps of the last scene: all lanes share size and, but for the accent, colours. */
let kept: { readonly key: string; readonly stamps: Stamps } | undefined;

function stampsOf(markSize: number, palette: Palette, scale: number): Stamps {
  const { right, wrong, unknown, surface, ink } = palette;
  const key = [markSize, scale, right, wrong, unknown, surface, ink].join();
  if (kept?.key !== key) kept = { key, stamps: makeStamps(markSize, palette, scale) };
  return kept.stamps;
}

function makeStamps(markSize: number, palette: Palette, scale: number): Stamps {
  const side = Math.ceil((markSize * 1.3 + 3) * scale);
  const half = markSize * 0.34;
  const draw = (paint: (context: OffscreenCanvasRenderingContext2D) => void): Stamp => {
    const context = new OffscreenCanvas(side, side).getContext("2d", { willReadFrequently: true });
    invariant(context !== null, "a browser draws in two dimensions");
    context.setTransform(scale, 0, 0, scale, side / 2, side / 2);
    context.beginPath();
    paint(context);
    return stampOf(context.getImageData(0, 0, side, side).data, side);
  };
  return {
    right: draw((context) => {
      context.fillStyle = palette.right;
      context.arc(0, 0, half * 0.9, 0, 2 * Math.PI);
      context.fill();
    }),
    wrong: draw((context) => {
      context.fillStyle = palette.surface;
      context.strokeStyle = palette.wrong;
      context.lineWidth = markSize > 7 ? 1.75 : 1.25;
      context.moveTo(0, -half);
      context.lineTo(half, 0);
      context.lineTo(0, half);
      context.lineTo(-half, 0);
      context.closePath();
      context.fill();
      context.stroke();
    }),
    unknown: draw((context) => {
      context.fillStyle = palette.unknown;
      context.rect(-half / 2, -half / 2, half, half);
      context.fill();
    }),
    ring: draw((context) => {
      context.strokeStyle = palette.ink;
      context.lineWidth = markSize > 7 ? 1.5 : 1.25;
      context.arc(0, 0, half * 1.5, 0, 2 * Math.PI);
      context.stroke();
    }),
  };
}

/** Links from wanted seeds to their new pairs, with an arrow's head so that the way is told. */
function drawLinks(
  context: CanvasRenderingContext2D,
  scene: Scene,
  positions: Float32Array,
  palette: Palette,
  alpha: number,
  wanted: (parent: number) => boolean,
): void {
  context.beginPath();
  for (const { parent, x, y } of scene.children) {
    if (!wanted(parent)) continue;
    const [px, py] = [positions[2 * parent] ?? 0, positions[2 * parent + 1] ?? 0];
    const end = y - 5;
    context.moveTo(px, py);
    context.bezierCurveTo(px, (py + end) / 2, x, (py + end) / 2, x, end);
    context.moveTo(x - 2.5, end - 4);
    context.lineTo(x, end);
    context.lineTo(x + 2.5, end - 4);
  }
  context.globalAlpha = alpha;
  context.strokeStyle = palette.lane;
  context.lineWidth = alpha === 1 ? 1.75 : 1;
  context.stroke();
  context.globalAlpha = 1;
}

/** New pairs: a square accepted, a cross rejected. */
function drawChildren(context: CanvasRenderingContext2D, scene: Scene, palette: Palette): void {
  context.fillStyle = palette.lane;
  for (const { child, x, y } of scene.children) if (child.accepted) context.fillRect(x - 3, y - 3, 6, 6);
  context.beginPath();
  for (const { child, x, y } of scene.children) {
    if (child.accepted) continue;
    context.moveTo(x - 3, y - 3);
    context.lineTo(x + 3, y + 3);
    context.moveTo(x + 3, y - 3);
    context.lineTo(x - 3, y + 3);
  }
  context.strokeStyle = palette.wrong;
  context.lineWidth = 1.5;
  context.stroke();
}
