/**
 * @file The pool as numbers and as pixels: where every mark stands, and one drawing of
 * them on a canvas, in few paths, because thousands of elements would not stay smooth.
 */
import type { Child, PickInfo } from "../../../laneState.ts";
import type { PoolItem } from "../../../../loop/records.ts";
import type { PoolMark } from "./poolLayout.ts";

export interface Scene {
  readonly marks: readonly PoolMark[];
  readonly indexOf: ReadonlyMap<string, number>;
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

/** Height of the row in which new pairs stand. */
export const SHELF_PX = 30;

/** The scene of a layout. New pairs stand in a row whose middle is at `shelfY`, each below its seed where there is room. */
export function makeScene(options: {
  readonly marks: readonly PoolMark[];
  readonly picks: ReadonlyMap<string, PickInfo>;
  readonly children: readonly Child[];
  readonly shows: ((item: PoolItem, pick: PickInfo | undefined) => boolean) | undefined;
  readonly markSize: number;
  readonly width: number;
  readonly shelfY: number;
}): Scene {
  const { marks, picks, children, shows, markSize, width, shelfY } = options;
  const indexOf = new Map(marks.map(({ item }, index) => [item.id, index]));
  const picked = Uint8Array.from(marks, ({ item }) => (picks.has(item.id) ? 1 : 0));
  const faint = Uint8Array.from(marks, ({ item }) => (shows?.(item, picks.get(item.id)) === false ? 1 : 0));
  const placed = children
    .flatMap((child) => {
      const parent = indexOf.get(child.seedId);
      const mark = parent === undefined ? undefined : marks[parent];
      return parent === undefined || mark === undefined ? [] : [{ child, parent, x: mark.x }];
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
    marks,
    indexOf,
    picked,
    faint,
    markSize,
    children: placed.map((one, i) => ({ child: one.child, parent: one.parent, x: forward[i] ?? one.x, y: shelfY })),
  };
}

/** Where marks are while they move: `t` of the way, 0…1, from where `before` had them; new ones stand where they belong. */
export function positionsAt(
  scene: Scene,
  before: ReadonlyMap<string, readonly [number, number]>,
  t: number,
): Float32Array<ArrayBuffer> {
  const eased = t >= 1 ? 1 : 1 - (1 - t) ** 3;
  const out = new Float32Array(2 * scene.marks.length);
  scene.marks.forEach(({ item, x, y }, i) => {
    const [x0, y0] = eased === 1 ? [x, y] : (before.get(item.id) ?? [x, y]);
    out[2 * i] = x0 + (x - x0) * eased;
    out[2 * i + 1] = y0 + (y - y0) * eased;
  });
  return out;
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

/** Draws the scene; the canvas is cleared first. `strong`: index of the mark that is pointed at, -1 for none. */
export function drawScene(
  context: CanvasRenderingContext2D,
  scene: Scene,
  positions: Float32Array,
  palette: Palette,
  size: { readonly width: number; readonly height: number; readonly scale: number },
  strong: number,
): void {
  context.setTransform(size.scale, 0, 0, size.scale, 0, 0);
  context.clearRect(0, 0, size.width, size.height);
  drawChildren(context, scene, positions, palette, strong);
  const half = scene.markSize * 0.34;
  for (const faint of [1, 0]) {
    context.globalAlpha = faint === 1 ? FAINT : 1;
    const right = new Path2D();
    const wrong = new Path2D();
    const unknown = new Path2D();
    const rings = new Path2D();
    scene.marks.forEach(({ item }, i) => {
      if (scene.faint[i] !== faint) return;
      const [x, y] = [positions[2 * i] ?? 0, positions[2 * i + 1] ?? 0];
      if (item.correct === true) {
        right.moveTo(x + half * 0.9, y);
        right.arc(x, y, half * 0.9, 0, 2 * Math.PI);
      } else if (item.correct === false) {
        wrong.moveTo(x, y - half);
        wrong.lineTo(x + half, y);
        wrong.lineTo(x, y + half);
        wrong.lineTo(x - half, y);
        wrong.closePath();
      } else unknown.rect(x - half / 2, y - half / 2, half, half);
      if (scene.picked[i] === 1) {
        rings.moveTo(x + half * 1.5, y);
        rings.arc(x, y, half * 1.5, 0, 2 * Math.PI);
      }
    });
    context.fillStyle = palette.right;
    paint(context, right);
    context.fillStyle = palette.surface;
    paint(context, wrong);
    context.strokeStyle = palette.wrong;
    context.lineWidth = scene.markSize > 7 ? 1.75 : 1.25;
    context.stroke(wrong);
    context.fillStyle = palette.unknown;
    paint(context, unknown);
    context.strokeStyle = palette.ink;
    context.lineWidth = scene.markSize > 7 ? 1.5 : 1.25;
    context.stroke(rings);
  }
  context.globalAlpha = 1;
  if (strong >= 0) {
    context.strokeStyle = palette.focus;
    context.lineWidth = 3;
    context.beginPath();
    context.arc(positions[2 * strong] ?? 0, positions[2 * strong + 1] ?? 0, Math.max(6, half * 1.9), 0, 2 * Math.PI);
    context.stroke();
  }
}

/** Links from seeds to their new pairs, and these: a square accepted, a cross rejected. */
function drawChildren(
  context: CanvasRenderingContext2D,
  scene: Scene,
  positions: Float32Array,
  palette: Palette,
  strong: number,
): void {
  const links = new Path2D();
  const strongLinks = new Path2D();
  const accepted = new Path2D();
  const rejected = new Path2D();
  for (const { child, parent, x, y } of scene.children) {
    const [px, py] = [positions[2 * parent] ?? 0, positions[2 * parent + 1] ?? 0];
    const path = parent === strong ? strongLinks : links;
    const end = y - 5;
    path.moveTo(px, py);
    path.bezierCurveTo(px, (py + end) / 2, x, (py + end) / 2, x, end);
    // An arrow's head, so that the way is told.
    path.moveTo(x - 2.5, end - 4);
    path.lineTo(x, end);
    path.lineTo(x + 2.5, end - 4);
    if (child.accepted) accepted.rect(x - 3, y - 3, 6, 6);
    else {
      rejected.moveTo(x - 3, y - 3);
      rejected.lineTo(x + 3, y + 3);
      rejected.moveTo(x + 3, y - 3);
      rejected.lineTo(x - 3, y + 3);
    }
  }
  context.strokeStyle = palette.lane;
  context.lineWidth = 1;
  context.globalAlpha = strong >= 0 ? 0.12 : Math.min(0.4, 12 / Math.max(1, scene.children.length));
  context.stroke(links);
  context.globalAlpha = 1;
  context.lineWidth = 1.75;
  context.stroke(strongLinks);
  context.fillStyle = palette.lane;
  paint(context, accepted);
  context.strokeStyle = palette.wrong;
  context.lineWidth = 1.5;
  context.stroke(rejected);
}

function paint(context: CanvasRenderingContext2D, path: Path2D): void {
  context.fill(path);
}
