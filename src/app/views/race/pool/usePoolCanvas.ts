/**
 * @file A hook: the pool's scene on its three canvases. Draws when the scene, the size or the
 * colours have changed and while marks move, never else, and in turns with the other lanes.
 */
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Turn } from "./frameTurns.ts";
import { frameTurns } from "./frameTurns.ts";
import type { CanvasSize, Palette, Scene } from "./poolScene.ts";
import { drawChildrenAndLinks, drawMarks, drawPointed, positionsAt, startsOf } from "./poolScene.ts";

const MOVE_MS = 700;
/** Links move along with their seeds up to this many; more come back when the seeds have arrived. */
const MOVING_LINKS = 100;

interface Shown {
  readonly scene: Scene;
  readonly width: number;
  readonly height: number;
}

/** What one lane's canvases show and how far they are; changed in place. */
interface Drawing {
  /** To be shown; null before the first. */
  next: Shown | null;
  /** Where its marks come from; null where they do not move. */
  starts: Float32Array | null;
  startMs: number;
  /** Of the last drawing. */
  last: Shown | null;
  pixels: ImageData | null;
  palette: Palette | null;
  /** Index of the mark that is pointed at, -1 for none. */
  pointed: number;
  /** The canvas of links shows something. */
  linked: boolean;
  /** The one above the marks does. */
  ringed: boolean;
}

export interface PoolCanvas {
  readonly links: RefObject<HTMLCanvasElement | null>;
  readonly marks: RefObject<HTMLCanvasElement | null>;
  /** Above the marks: what is pointed at. */
  readonly overlay: RefObject<HTMLCanvasElement | null>;
  /** Where the marks stand now: x, y of each. */
  readonly positions: { readonly current: Float32Array };
}

/** Refs of three canvases, the lowest first, and where marks stand. `strong`: index of the mark that is pointed at, -1 for none. */
export function usePoolCanvas(scene: Scene, width: number, height: number, strong: number): PoolCanvas {
  const links = useRef<HTMLCanvasElement>(null);
  const marks = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const positions = useRef<Float32Array>(new Float32Array(0));
  const drawing = useRef<Drawing>({
    next: null,
    starts: null,
    startMs: Number.NEGATIVE_INFINITY,
    last: null,
    pixels: null,
    palette: null,
    pointed: strong,
    linked: false,
    ringed: false,
  }).current;
  const turn = useRef<Turn>(null);

  const draw = (): void => {
    const { next } = drawing;
    const element = marks.current;
    const context = element?.getContext("2d");
    if (next === null || element === null || context === null || context === undefined) return;
    const t = Math.min(1, (performance.now() - drawing.startMs) / MOVE_MS);
    positions.current = positionsAt(next.scene, drawing.starts, t);
    drawing.last = next;
    drawing.palette ??= paletteOf(element);
    const size = fit(element, next);
    if (drawing.pixels?.width !== element.width || drawing.pixels.height !== element.height)
      drawing.pixels = context.createImageData(element.width, element.height);
    drawMarks(context, next.scene, positions.current, drawing.palette, size, drawing.pixels);
    const { children } = next.scene;
    const visible = children.length > 0 && (t >= 1 || children.length <= MOVING_LINKS);
    if (visible || drawing.linked) drawLinks(drawing, links.current, positions.current, visible);
    // What is pointed at moves along.
    if (drawing.pointed >= 0 || drawing.ringed) drawOver(drawing, overlay.current, positions.current);
    if (t < 1) turn.current?.ask();
  };
  turn.current ??= frameTurns.turn(draw);

  useLayoutEffect(() => {
    const { last } = drawing;
    if (drawing.next?.scene !== scene) {
      // A page that was made wider has not learnt.
      const moves = last !== null && last.width === width && last.scene.marks !== scene.marks && !wantsLessMotion();
      drawing.starts = moves ? startsOf(scene, last.scene, positions.current) : null;
      drawing.startMs = moves ? performance.now() : Number.NEGATIVE_INFINITY;
    }
    drawing.next = { scene, width, height };
    turn.current?.ask();
  }, [scene, width, height]);
  useLayoutEffect(() => {
    drawing.pointed = strong;
    // An index into a scene that is not drawn yet means nothing to the one that is.
    if (drawing.last?.scene === scene && (drawing.ringed || strong >= 0))
      drawOver(drawing, overlay.current, positions.current);
  }, [scene, strong]);
  useEffect(() => {
    const recolour = (): void => {
      drawing.palette = null;
      turn.current?.ask();
    };
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const theme = new MutationObserver(recolour);
    theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    scheme.addEventListener("change", recolour);
    return () => {
      turn.current?.drop();
      theme.disconnect();
      scheme.removeEventListener("change", recolour);
    };
  }, []);
  return { links, marks, overlay, positions };
}

/** Makes a canvas as many device pixels as it covers. */
function fit(element: HTMLCanvasElement, { width, height }: Shown): CanvasSize {
  const scale = Math.min(2, devicePixelRatio || 1);
  const [pixelsX, pixelsY] = [Math.round(width * scale), Math.round(height * scale)];
  if (element.width !== pixelsX || element.height !== pixelsY) [element.width, element.height] = [pixelsX, pixelsY];
  return { width, height, scale };
}

function drawLinks(
  drawing: Drawing,
  element: HTMLCanvasElement | null,
  positions: Float32Array,
  visible: boolean,
): void {
  const { last, palette } = drawing;
  const context = element?.getContext("2d");
  if (last === null || palette === null || element === null || context === null || context === undefined) return;
  const scene = visible ? last.scene : { ...last.scene, children: [] };
  drawChildrenAndLinks(context, scene, positions, palette, fit(element, last));
  drawing.linked = visible;
}

function drawOver(drawing: Drawing, element: HTMLCanvasElement | null, positions: Float32Array): void {
  const { last, pointed } = drawing;
  const context = element?.getContext("2d");
  if (last === null || element === null || context === null || context === undefined) return;
  drawing.palette ??= paletteOf(element);
  drawPointed(context, last.scene, positions, drawing.palette, fit(element, last), pointed);
  drawing.ringed = pointed >= 0;
}

function wantsLessMotion(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Canvas colours as the stylesheet resolves them: probes, because a custom property is only text. */
function paletteOf(element: HTMLElement): Palette {
  const style = getComputedStyle(element);
  const dark =
    style.colorScheme === "dark" ||
    (style.colorScheme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  const read = (name: string): string => {
    const text = style.getPropertyValue(name).trim();
    const both = /^light-dark\(\s*([^,]+),\s*(.+)\)$/.exec(text);
    return both === null ? text : ((dark ? both[2] : both[1]) ?? text).trim();
  };
  return {
    right: read("--right"),
    wrong: read("--wrong"),
    unknown: read("--ink-faint"),
    surface: read("--surface"),
    ink: read("--ink"),
    lane: read("--lane"),
    focus: read("--focus"),
  };
}
