/**
 * @file The pool of one lane on a canvas: every seed a mark placed by the student's loss
 * or hidden states, its shape and colour saying whether the student answers it, picked
 * ones ringed and linked to the pairs made from them. Marks move when the student has
 * learnt. Pointing, tapping or arrow keys open a card with the whole story of a seed; to
 * assistive technology the plot is a slider along the seeds.
 */
import type { VNode } from "preact";
import { useLayoutEffect, useMemo, useState } from "preact/hooks";
import type { PoolItem } from "../../../../loop/records.ts";
import { formatNats, formatPercent } from "../../../format.ts";
import type { Child, PickInfo } from "../../../laneState.ts";
import { ticksBetween } from "../../../../charts/scale.ts";
import { useWidth } from "../../../plots/useWidth.ts";
import type { PoolLayout, PoolMark } from "./poolLayout.ts";
import { layoutPlane, layoutPool, markSizeFor } from "./poolLayout.ts";
import type { Scene } from "./poolScene.ts";
import { makeScene, markAt, nearest, SHELF_PX } from "./poolScene.ts";
import { zoomTo } from "./poolSlice.ts";
import type { PoolAxes } from "./poolToolbar.tsx";
import { SeedCard } from "./seedCard.tsx";
import type { SeedTools } from "./seedTools.ts";
import { useInTurn } from "./useInTurn.ts";
import { usePoolCanvas } from "./usePoolCanvas.ts";

export interface PoolPlotProps {
  readonly lane: number;
  readonly label: string;
  readonly pool: readonly PoolItem[];
  readonly picks: ReadonlyMap<string, PickInfo>;
  readonly children: readonly Child[];
  readonly axes: PoolAxes;
  /** A seed to point out from elsewhere on the page. */
  readonly highlighted: string | null;
  readonly tools: SeedTools;
}

const CARD_WIDTH = 400;
const PLANE_HEIGHT = 300;
/** A drag shorter than this is a press. */
const DRAG_PX = 8;

/** Open card: a hovered or focused one closes again, a pinned one stays. */
interface Open {
  readonly id: string;
  readonly pinned: boolean;
}

/** The pool of one lane. */
export function PoolPlot(props: PoolPlotProps): VNode {
  const { lane, label, pool, picks, children, highlighted, tools } = props;
  const [ref, width] = useWidth<HTMLDivElement>(560);
  const [open, setOpen] = useState<Open | null>(null);
  const map = props.axes.maps.get(lane);
  const { layout, placed, axes } = useInTurn(
    () => ({
      layout: place(pool, width, markSizeFor(pool.length), props.axes, map?.places ?? null),
      placed: pool,
      axes: props.axes,
    }),
    [pool, width, props.axes, map],
  );
  const markSize = markSizeFor(placed.length);
  const height = layout.height + (children.length > 0 ? SHELF_PX : 0);
  const scene = useMemo(
    () =>
      makeScene({
        pool: placed,
        marks: layout.marks,
        picks,
        children,
        shows: axes.shows,
        markSize,
        width,
        shelfY: layout.height + SHELF_PX / 2,
      }),
    [layout, placed, picks, children, axes.shows, markSize, width],
  );
  const pointed = open?.id ?? highlighted;
  const strong = pointed === null ? -1 : markAt(scene, pointed);
  const { links, marks, overlay, positions } = usePoolCanvas(scene, width, height, strong);

  // With the card itself: an effect would miss a key of the next frame.
  useLayoutEffect(() => {
    if (open === null) return undefined;
    const close = (event: KeyboardEvent): void => {
      if (event.key === "Escape") setOpen(null);
    };
    document.addEventListener("keydown", close);
    return () => document.removeEventListener("keydown", close);
  }, [open]);

  if (placed.length === 0 || (axes.projection === "states" && (map?.places ?? null) === null)) {
    return (
      <div class="plot pool" ref={ref}>
        <p class="empty">
          {placed.length === 0
            ? "The seeds appear here when the student has answered them."
            : statesText(tools, map?.failure)}
        </p>
      </div>
    );
  }
  const shown = strong < 0 || open === null ? undefined : scene.marks[strong];
  const pressed = (id: string): void =>
    setOpen((current) => (current?.pinned === true && current.id === id ? null : { id, pinned: true }));
  return (
    <div
      class="plot pool"
      ref={ref}
      data-seeds={layout.marks.length}
      data-picked={scene.picked.reduce((sum, one) => sum + one, 0)}
      data-children={scene.children.length}
    >
      <svg width={width} height={layout.height} aria-hidden="true">
        <PoolAxis layout={layout} width={width} axes={axes} explained={map?.explained ?? null} />
      </svg>
      {[links, marks, overlay].map((canvas, index) => (
        <canvas key={index} ref={canvas} style={{ width: `${width}px`, height: `${height}px` }} aria-hidden="true" />
      ))}
      <PoolSlider
        label={label}
        scene={scene}
        strong={strong}
        height={height}
        width={width}
        layout={layout}
        axes={axes}
        pointAt={(x, y) => nearest(positions.current, x, y, Math.max(9, markSize))}
        onPoint={(index) => {
          const id = index < 0 ? null : scene.marks[index]?.item.id;
          setOpen((current) =>
            current?.pinned === true ? current : id === null || id === undefined ? null : { id, pinned: false },
          );
        }}
        onGo={(index) => {
          const id = scene.marks[index]?.item.id;
          if (id !== undefined) setOpen({ id, pinned: false });
        }}
        onPress={(index) => {
          const id = scene.marks[index]?.item.id;
          if (id === undefined) setOpen(null);
          else pressed(id);
        }}
        onLeave={() => setOpen((current) => (current?.pinned === true ? current : null))}
        picks={picks}
      />
      {children.length > 0 && <p class="shelf-label">{shelfText(children)}</p>}
      <Notes layout={layout} pool={placed} />
      {shown !== undefined && (
        <div class={`card${open?.pinned === true ? " card-pinned" : ""}`} role="status" style={cardPlace(shown, width)}>
          <SeedCard item={shown.item} pool={placed} picks={picks} children={children} tools={tools} />
        </div>
      )}
    </div>
  );
}

function place(
  pool: readonly PoolItem[],
  width: number,
  markSize: number,
  { projection, lossKind, zoom, maxLoss, plane }: PoolAxes,
  places: Parameters<typeof layoutPlane>[1] | null,
): PoolLayout {
  if (projection === "states" && places !== null) {
    const part = ([low, high]: readonly [number, number]): readonly [number, number] => [
      low + (high - low) * zoom.from,
      low + (high - low) * zoom.to,
    ];
    // Up and down the middle is kept: one unit is as long both ways.
    const span = (plane.y[1] - plane.y[0]) * (zoom.to - zoom.from);
    const middle = (plane.y[0] + plane.y[1]) / 2;
    const domain = { x: part(plane.x), y: [middle - span / 2, middle + span / 2] as const };
    return layoutPlane(pool, places, { width, height: PLANE_HEIGHT, domain, lossKind });
  }
  return layoutPool(pool, { width, lossKind, minLoss: maxLoss * zoom.from, maxLoss: maxLoss * zoom.to, markSize });
}

function statesText({ tokenLosses }: SeedTools, failure: string | null | undefined): string {
  if (failure !== null && failure !== undefined) return `The hidden states are not to be had: ${failure}`;
  return tokenLosses === undefined
    ? "Hidden states need the run open: press Resume or Step."
    : "Asking the student for its hidden states…";
}

function shelfText(children: readonly Child[]): string {
  const accepted = children.filter((child) => child.accepted).length;
  return `new pairs of this round: ${accepted} accepted (squares), ${children.length - accepted} rejected (crosses)`;
}

interface PoolSliderProps {
  readonly label: string;
  readonly scene: Scene;
  readonly strong: number;
  readonly width: number;
  readonly height: number;
  readonly layout: PoolLayout;
  readonly axes: PoolAxes;
  readonly picks: ReadonlyMap<string, PickInfo>;
  readonly pointAt: (x: number, y: number) => number;
  /** Pointed at, -1 for none. */
  readonly onPoint: (index: number) => void;
  /** Gone to by key. */
  readonly onGo: (index: number) => void;
  readonly onPress: (index: number) => void;
  readonly onLeave: () => void;
}

/** What hears pointer and keys over the canvas. */
function PoolSlider(props: PoolSliderProps): VNode {
  const { label, scene, strong, width, height, layout, axes, picks, pointAt, onPoint, onGo, onPress, onLeave } = props;
  const [at, setAt] = useState(0);
  const [drag, setDrag] = useState<{ readonly from: number; readonly to: number } | null>(null);
  const last = scene.marks.length - 1;
  const index = Math.max(0, Math.min(last, strong >= 0 ? strong : at));
  const mark = scene.marks[index];
  const where = (event: PointerEvent): readonly [number, number] => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const go = (target: number): void => {
    const next = Math.max(0, Math.min(last, target));
    setAt(next);
    onGo(next);
  };
  const onKey = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, number>> = {
      ArrowRight: index + 1,
      ArrowUp: index + 1,
      ArrowLeft: index - 1,
      ArrowDown: index - 1,
      PageUp: index + 10,
      PageDown: index - 10,
      Home: 0,
      End: last,
    };
    const target = steps[event.key];
    if (target === undefined && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (target === undefined) onPress(index);
    else go(target);
  };
  const endDrag = (event: PointerEvent): void => {
    const [x, y] = where(event);
    const from = drag?.from;
    setDrag(null);
    if (from === undefined || Math.abs(x - from) < DRAG_PX) return onPress(pointAt(x, y));
    const [left, right] = layout.x.range;
    const share = (value: number): number => Math.min(1, Math.max(0, (value - left) / (right - left)));
    axes.onZoom(zoomTo(axes.zoom, share(from), share(x)));
  };
  return (
    <div
      class="pool-slider"
      style={{ width: `${width}px`, height: `${height}px` }}
      role="slider"
      tabIndex={0}
      aria-label={`Pool of ${label}: ${scene.marks.length} seeds${axes.projection === "states" ? "" : " by loss"}`}
      aria-valuemin={1}
      aria-valuemax={scene.marks.length}
      aria-valuenow={index + 1}
      aria-valuetext={mark === undefined ? "no seed" : markText(mark, picks.get(mark.item.id))}
      onKeyDown={onKey}
      onFocus={(event) => {
        // A press by pointer opens its own card.
        if (event.currentTarget.matches(":focus-visible")) go(index);
      }}
      onBlur={onLeave}
      onPointerMove={(event) => {
        const [x, y] = where(event);
        if (drag === null) onPoint(pointAt(x, y));
        else setDrag({ ...drag, to: x });
      }}
      onPointerDown={(event) => {
        if (event.pointerType !== "mouse" || event.button !== 0) return;
        const [x] = where(event);
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag({ from: x, to: x });
      }}
      onPointerUp={endDrag}
      onPointerCancel={() => setDrag(null)}
      onPointerLeave={onLeave}
    >
      {drag !== null && Math.abs(drag.to - drag.from) >= DRAG_PX && (
        <span
          class="pool-brush"
          style={{ left: `${Math.min(drag.from, drag.to)}px`, width: `${Math.abs(drag.to - drag.from)}px` }}
        />
      )}
    </div>
  );
}

function PoolAxis({
  layout,
  width,
  axes: { projection, lossKind },
  explained,
}: {
  readonly layout: PoolLayout;
  readonly width: number;
  readonly axes: PoolAxes;
  readonly explained: readonly [number, number] | null;
}): VNode {
  const bottom = layout.height - 40;
  const [left, right] = layout.x.range;
  if (projection === "states")
    return (
      <g class="axis">
        <rect class="plane" x={left} y={4} width={right - left} height={layout.height - 28} />
        <text class="axis-title" x={right} y={layout.height - 8} text-anchor="end">
          {explained === null
            ? ""
            : `principal components 1 → (${formatPercent(explained[0])} of variance) and 2 ↑ (${formatPercent(explained[1])}), fixed when first drawn`}
        </text>
      </g>
    );
  return (
    <g class="axis">
      {ticksBetween(layout.x.domain[0], layout.x.domain[1], width < 420 ? 4 : 6).map((tick) => (
        <g key={tick} transform={`translate(${layout.x(tick).toFixed(1)},0)`}>
          <line class="grid" y1={0} y2={bottom} />
          <text y={bottom + 16} text-anchor="middle">
            {tick}
          </text>
        </g>
      ))}
      {layout.rows.map(({ level, top, bottom: rowBottom, total, correct }) => (
        <g key={level}>
          <text class="row-label" x={right + 6} y={top + 13} text-anchor="end">
            {correct === undefined
              ? `${level} · ${total} seeds`
              : `${level} · ${correct} of ${total} right (${formatPercent(correct / total)})`}
          </text>
          <line class="base" x1={left - 5} x2={right + 6} y1={rowBottom} y2={rowBottom} />
        </g>
      ))}
      <text class="axis-title" x={right + 6} y={layout.height - 6} text-anchor="end">
        {lossKind === "own"
          ? "loss of the student's own answer, nats per token →"
          : "loss of the worked answer, nats per token →"}
      </text>
    </g>
  );
}

function Notes({ layout, pool }: { readonly layout: PoolLayout; readonly pool: readonly PoolItem[] }): VNode | null {
  const { unplaced, outside } = layout;
  if (unplaced === 0 && outside === 0) return null;
  const parts = [
    unplaced === 0 ? "" : `${unplaced} of ${pool.length} seeds have no place by this and are not shown.`,
    outside === 0 ? "" : `${outside} of ${pool.length} seeds are outside this part.`,
  ];
  return <p class="note">{parts.filter((part) => part !== "").join(" ")}</p>;
}

function cardPlace(mark: PoolMark, width: number): Readonly<Record<string, string>> {
  const cardWidth = Math.min(CARD_WIDTH, width);
  const left = Math.min(Math.max(0, mark.x - cardWidth / 2), width - cardWidth);
  return { width: `${cardWidth}px`, left: `${left}px`, top: `${mark.y + 14}px` };
}

function markText({ item, loss }: PoolMark, pick: PickInfo | undefined): string {
  const verdict = item.correct === undefined ? "not answered" : item.correct ? "right" : "wrong";
  const picked = pick === undefined ? "" : ", picked";
  return `Seed ${item.id}, ${item.level}, loss ${formatNats(Number.isNaN(loss) ? undefined : loss)} nats, ${verdict}${picked}`;
}
