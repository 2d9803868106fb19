/**
 * @file The pool: every seed a mark placed by the student's loss, its shape and
 * colour saying whether the student answers it, picked ones ringed. Pointing at,
 * focusing or tapping a mark opens a card with the whole story of that seed. One tab
 * stop; arrow keys move along the loss.
 */
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { PoolItem } from "../../loop/records.ts";
import { formatNats, formatPercent } from "../format.ts";
import type { PickInfo } from "../laneState.ts";
import { SeedMark } from "../components/icons.tsx";
import { SeedCard } from "../views/race/seedCard.tsx";
import type { LossKind, PoolLayout, PoolMark } from "./poolLayout.ts";
import { layoutPool, lossOf } from "./poolLayout.ts";
import { ticksBetween } from "../../charts/scale.ts";
import { useWidth } from "./useWidth.ts";

export interface PoolPlotProps {
  readonly label: string;
  readonly pool: readonly PoolItem[];
  readonly picks: ReadonlyMap<string, PickInfo>;
  readonly lossKind: LossKind;
  readonly maxLoss: number;
  /** A seed to point out from elsewhere on the page. */
  readonly highlighted: string | null;
}

/** Room of one mark, ring included. */
const MARK_SIZE = 11;
const CARD_WIDTH = 380;

/** Open card: a hovered or focused one closes again, a pinned one stays. */
interface Open {
  readonly id: string;
  readonly pinned: boolean;
}

/** The pool of one lane. */
export function PoolPlot({ label, pool, picks, lossKind, maxLoss, highlighted }: PoolPlotProps): VNode {
  const [ref, width] = useWidth<HTMLDivElement>(560);
  const [open, setOpen] = useState<Open | null>(null);
  const [tabStop, setTabStop] = useState(0);
  const marksRef = useRef<SVGGElement>(null);
  const layout = useMemo(
    () => layoutPool(pool, { width, lossKind, maxLoss, markSize: MARK_SIZE }),
    [pool, width, lossKind, maxLoss],
  );
  const cardId = `card-${label.replace(/[^a-zA-Z0-9-]/g, "-")}`;

  useEffect(() => {
    if (open === null) return undefined;
    const close = (event: KeyboardEvent): void => {
      if (event.key === "Escape") setOpen(null);
    };
    document.addEventListener("keydown", close);
    return () => document.removeEventListener("keydown", close);
  }, [open]);

  const pin = (id: string | undefined): void =>
    setOpen((current) =>
      id === undefined || (current?.pinned === true && current.id === id) ? null : { id, pinned: true },
    );

  const onKey = (event: KeyboardEvent): void => {
    const last = layout.marks.length - 1;
    const targets: Readonly<Record<string, number>> = {
      ArrowRight: tabStop + 1,
      ArrowUp: tabStop + 1,
      ArrowLeft: tabStop - 1,
      ArrowDown: tabStop - 1,
      Home: 0,
      End: last,
    };
    if (event.key === "Enter" || event.key === " ") {
      // An SVG group is no real button: the browser makes no click of these keys.
      event.preventDefault();
      pin(seedOf(event.target));
      return;
    }
    const target = targets[event.key];
    if (target === undefined) return;
    event.preventDefault();
    const index = Math.min(last, Math.max(0, target));
    setTabStop(index);
    const element = marksRef.current?.children[index];
    if (element instanceof SVGElement) element.focus();
  };

  // The marks are many and change once a round: they are drawn apart from the card, which follows the pointer.
  const marks = useMemo(
    () =>
      layout.marks.map((mark, index) => (
        <g
          key={mark.item.id}
          class={`seed${picks.has(mark.item.id) ? " seed-picked" : ""}${highlighted === mark.item.id ? " seed-highlighted" : ""}`}
          style={{ transform: `translate(${mark.x.toFixed(1)}px,${mark.y.toFixed(1)}px)` }}
          role="button"
          tabindex={index === Math.min(tabStop, layout.marks.length - 1) ? 0 : -1}
          aria-label={markLabel(mark, picks.get(mark.item.id))}
          data-seed={mark.item.id}
        >
          <circle class="seed-hit" r={MARK_SIZE * 0.62} />
          {picks.has(mark.item.id) && <circle class="seed-ring" r={MARK_SIZE * 0.48} />}
          <SeedMark correct={mark.item.correct} size={MARK_SIZE * 0.68} />
        </g>
      )),
    [layout, picks, tabStop, highlighted],
  );

  if (pool.length === 0) {
    return (
      <div class="plot pool" ref={ref}>
        <p class="empty">The seeds appear here when the student has answered them.</p>
      </div>
    );
  }
  const shown = open === null ? undefined : layout.marks.find(({ item }) => item.id === open.id);
  return (
    <div
      class="plot pool"
      ref={ref}
      onMouseLeave={() => setOpen((current) => (current?.pinned === true ? current : null))}
    >
      <svg
        width={width}
        height={layout.height}
        role="group"
        aria-label={`Pool of ${label}: ${layout.marks.length} seeds by loss. Arrow keys move along the loss.`}
        onMouseOver={(event) => {
          const id = seedOf(event.target);
          if (id !== undefined) setOpen((current) => (current?.pinned === true ? current : { id, pinned: false }));
        }}
        onFocusIn={(event) => {
          const id = seedOf(event.target);
          if (id === undefined) return;
          setTabStop(layout.marks.findIndex(({ item }) => item.id === id));
          setOpen({ id, pinned: false });
        }}
        onFocusOut={() => setOpen((current) => (current?.pinned === true ? current : null))}
        onClick={(event) => pin(seedOf(event.target))}
        onKeyDown={onKey}
      >
        <PoolAxis layout={layout} width={width} lossKind={lossKind} />
        <g ref={marksRef}>{marks}</g>
      </svg>
      {layout.unplaced > 0 && (
        <p class="note">
          {layout.unplaced} of {pool.length} seeds have no such loss in this round and are not shown.
        </p>
      )}
      {shown !== undefined && (
        <div
          id={cardId}
          class={`card${open?.pinned === true ? " card-pinned" : ""}`}
          role="status"
          style={cardPlace(shown, width)}
        >
          <SeedCard item={shown.item} pick={picks.get(shown.item.id)} />
        </div>
      )}
    </div>
  );
}

function PoolAxis({
  layout,
  width,
  lossKind,
}: {
  readonly layout: PoolLayout;
  readonly width: number;
  readonly lossKind: LossKind;
}): VNode {
  const bottom = layout.height - 40;
  const [left, right] = layout.x.range;
  return (
    <g class="axis" aria-hidden="true">
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

function seedOf(target: EventTarget | null): string | undefined {
  const mark = target instanceof Element ? target.closest("[data-seed]") : null;
  return mark?.getAttribute("data-seed") ?? undefined;
}

function cardPlace(mark: PoolMark, width: number): Readonly<Record<string, string>> {
  const cardWidth = Math.min(CARD_WIDTH, width);
  const left = Math.min(Math.max(0, mark.x - cardWidth / 2), width - cardWidth);
  return { width: `${cardWidth}px`, left: `${left}px`, top: `${mark.y + MARK_SIZE + 4}px` };
}

function markLabel({ item, loss }: PoolMark, pick: PickInfo | undefined): string {
  const verdict = item.correct === undefined ? "not answered" : item.correct ? "right" : "wrong";
  const picked = pick === undefined ? "" : ", picked";
  return `Seed ${item.id}, ${item.level}, loss ${formatNats(loss)} nats, ${verdict}${picked}`;
}

/** Whether any seed of the pool has the loss. */
export function hasLoss(pool: readonly PoolItem[], kind: LossKind): boolean {
  return pool.some((item) => lossOf(item, kind) !== undefined);
}
