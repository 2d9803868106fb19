/** @file One row above the lanes' pools: what places the seeds, which stand out, zoom; and the axes that all lanes share. */
import type { VNode } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import type { PoolItem } from "../../../../loop/records.ts";
import type { AppState } from "../../../appState.ts";
import { Glyph, SeedMark } from "../../../components/icons.tsx";
import type { Page } from "../../../controller.ts";
import { formatInteger } from "../../../format.ts";
import type { LaneState, PickInfo } from "../../../laneState.ts";
import type { LossKind, PlaneDomain } from "./poolLayout.ts";
import { maxLossOf, planeDomain } from "./poolLayout.ts";
import type { Filter, LaneMap, Projection, Zoom } from "./poolSlice.ts";
import { changePool, FILTERS, mapLane, panBy, poolSlice, PROJECTIONS, WHOLE, zoomBy } from "./poolSlice.ts";

/** What all lanes' plots have in common. */
export interface PoolAxes {
  readonly projection: Projection;
  readonly lossKind: LossKind;
  readonly zoom: Zoom;
  readonly maxLoss: number;
  readonly plane: PlaneDomain;
  readonly maps: ReadonlyMap<number, LaneMap>;
  /** Whether a seed stands out; undefined where all do. */
  readonly shows: ((item: PoolItem, pick: PickInfo | undefined) => boolean) | undefined;
  readonly onZoom: (zoom: Zoom) => void;
}

/** The axes, made again only when what they show changes; asks for places by hidden states when those are shown. */
export function usePoolAxes(state: AppState, page: Page, lanes: readonly LaneState[]): PoolAxes {
  const { projection, filter, text, zoom, maps } = poolSlice.of(state);
  const pools = lanes.map(({ pool }) => pool);
  const lossKind = projection === "true" ? "true" : "own";
  const open = state.race !== null;
  const keys = lanes.map(({ run, poolRound }) => `${run?.runId ?? ""} ${poolRound}`).join();
  useEffect(() => {
    if (projection !== "states" || !open) return;
    for (const [index, { run, pool, poolRound }] of lanes.entries())
      if (run !== null && pool.length >= 3) void mapLane(page, index, `${run.runId} ${poolRound}`, pool);
  }, [projection, open, keys]);
  const maxLoss = useMemo(() => maxLossOf(pools, lossKind), [lossKind, ...pools, pools.length]);
  const plane = useMemo(() => planeDomain([...maps.values()].flatMap(({ places }) => places ?? [])), [maps]);
  return useMemo(
    () => ({
      projection,
      lossKind,
      zoom,
      maxLoss,
      plane,
      maps,
      shows: showsOf(filter, text.trim().toLowerCase()),
      onZoom: (next) => changePool(page, { zoom: next }),
    }),
    [projection, lossKind, zoom, maxLoss, plane, maps, filter, text, page],
  );
}

function showsOf(filter: Filter, text: string): PoolAxes["shows"] {
  if (filter === "all" && text === "") return undefined;
  return ({ id, question, correct }, pick) => {
    if (filter === "wrong" && correct !== false) return false;
    if (filter === "right" && correct !== true) return false;
    if (filter === "picked" && pick === undefined) return false;
    return text === "" || question.toLowerCase().includes(text) || id.toLowerCase() === text;
  };
}

/** Title, projection, filter, zoom and legend. */
export function PoolToolbar({
  state,
  page,
  axes,
}: {
  readonly state: AppState;
  readonly page: Page;
  readonly axes: PoolAxes;
}): VNode {
  const { projection, filter, text, zoom } = poolSlice.of(state);
  const size = state.lanes.find(({ pool }) => pool.length > 0)?.pool.length ?? 0;
  const whole = zoom.from === 0 && zoom.to === 1;
  return (
    <header class="pool-bar">
      <h2 id="pools-title">
        The pool
        {size === 0 ? "" : <span class="count"> {formatInteger(size)} seed questions, as each student sees them</span>}
      </h2>
      <div class="pool-tools">
        <fieldset class="segmented">
          <legend class="hidden">Place seeds by</legend>
          {(Object.keys(PROJECTIONS) as Projection[]).map((name) => (
            <label key={name}>
              <input
                type="radio"
                name="projection"
                checked={projection === name}
                onChange={() => changePool(page, { projection: name, zoom: WHOLE })}
              />
              <span>{PROJECTIONS[name]}</span>
            </label>
          ))}
        </fieldset>
        <label class="inline-field">
          <span class="hidden">Show</span>
          <select
            value={filter}
            onChange={(event) => changePool(page, { filter: event.currentTarget.value as Filter })}
          >
            {(Object.keys(FILTERS) as Filter[]).map((name) => (
              <option key={name} value={name}>
                {FILTERS[name]}
              </option>
            ))}
          </select>
        </label>
        <label class="inline-field">
          <span class="hidden">Words of the question</span>
          <input
            type="text"
            class="pool-search"
            placeholder="Words of the question"
            maxLength={200}
            value={text}
            onInput={(event) => changePool(page, { text: event.currentTarget.value })}
          />
        </label>
        <div class="zoom" role="group" aria-label="Zoom">
          <button type="button" aria-label="Zoom in" onClick={() => axes.onZoom(zoomBy(zoom, 0.5))}>
            +
          </button>
          <button type="button" aria-label="Zoom out" disabled={whole} onClick={() => axes.onZoom(zoomBy(zoom, 2))}>
            −
          </button>
          <button
            type="button"
            aria-label="Move left"
            disabled={zoom.from === 0}
            onClick={() => axes.onZoom(panBy(zoom, -0.5))}
          >
            ←
          </button>
          <button
            type="button"
            aria-label="Move right"
            disabled={zoom.to === 1}
            onClick={() => axes.onZoom(panBy(zoom, 0.5))}
          >
            →
          </button>
          <button type="button" disabled={whole} onClick={() => axes.onZoom(WHOLE)}>
            All
          </button>
        </div>
      </div>
      <p class="legend">
        <span>
          <Glyph>
            <SeedMark correct={true} size={10} />
          </Glyph>
          answered right
        </span>
        <span>
          <Glyph>
            <SeedMark correct={false} size={10} />
          </Glyph>
          answered wrong
        </span>
        <span>
          <Glyph size={18}>
            <circle class="seed-ring" r={7} />
          </Glyph>
          picked this round
        </span>
        <span>
          <Glyph size={18}>
            <path class="child-link" d="M-7,-6C-7,4 5,-4 5,4" />
            <rect class="child-accepted" x={2} y={3} width={6} height={6} />
          </Glyph>
          its new pair
        </span>
      </p>
    </header>
  );
}
