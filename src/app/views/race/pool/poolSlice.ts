/** @file How people look at the pool: by what it is placed, which seeds stand out, which part is shown; and places by hidden states as the worker gave them. Shared by all lanes, so that they compare. */
import { messageOf } from "../../../../core/errors.ts";
import type { PoolItem } from "../../../../loop/records.ts";
import type { Page } from "../../../controller.ts";
import { defineSlice } from "../../../slice.ts";
import type { Place } from "./poolLayout.ts";

export const PROJECTIONS = {
  own: "Loss of own answer",
  true: "Loss of worked answer",
  states: "Hidden states",
} as const;
export type Projection = keyof typeof PROJECTIONS;

export const FILTERS = {
  all: "All seeds",
  wrong: "Answered wrong",
  right: "Answered right",
  picked: "Picked this round",
} as const;
export type Filter = keyof typeof FILTERS;

/** Part of the axes that is shown, 0…1 of the whole. */
export interface Zoom {
  readonly from: number;
  readonly to: number;
}

/** Places of a lane's seeds, of one pool of one run. */
export interface LaneMap {
  readonly key: string;
  readonly places: ReadonlyMap<string, Place> | null;
  readonly explained: readonly [number, number] | null;
  readonly failure: string | null;
}

export interface PoolState {
  readonly projection: Projection;
  readonly filter: Filter;
  readonly text: string;
  readonly zoom: Zoom;
  readonly maps: ReadonlyMap<number, LaneMap>;
}

export const WHOLE: Zoom = { from: 0, to: 1 };

export const poolSlice = defineSlice<PoolState>({
  projection: "own",
  filter: "all",
  text: "",
  zoom: WHOLE,
  maps: new Map(),
});

/** Changes how the pool is looked at. */
export function changePool({ store }: Page, change: Partial<PoolState>): void {
  poolSlice.change(store, (before) => ({ ...before, ...change }));
}

/** Asks the worker where a lane's seeds stand by hidden states, once for each `key`. */
export async function mapLane(page: Page, lane: number, key: string, pool: readonly PoolItem[]): Promise<void> {
  const { store, link } = page;
  const put = (map: Omit<LaneMap, "key">): void =>
    poolSlice.change(store, (before) => ({ ...before, maps: new Map(before.maps).set(lane, { key, ...map }) }));
  const before = poolSlice.of(store.state).maps.get(lane);
  if (before?.key === key || link.service === undefined) return;
  // The old places stay until the new ones are there: the seeds then move.
  put({ places: before?.places ?? null, explained: before?.explained ?? null, failure: null });
  try {
    const rows = pool.map(({ id, question, answer }) => ({ id, question, answer }));
    const { places, explained } = await link.service.mapPool({ lane, rows });
    if (poolSlice.of(store.state).maps.get(lane)?.key !== key) return;
    put({ places: new Map(places.map(({ id, x, y }) => [id, { x, y }])), explained, failure: null });
  } catch (error) {
    if (poolSlice.of(store.state).maps.get(lane)?.key === key)
      put({ places: null, explained: null, failure: messageOf(error) });
  }
}

/** Half as wide around the same middle, or twice as wide inside the whole. */
export function zoomBy({ from, to }: Zoom, factor: number): Zoom {
  const span = Math.min(1, Math.max(MIN_SPAN, (to - from) * factor));
  const start = Math.min(1 - span, Math.max(0, (from + to) / 2 - span / 2));
  return { from: start, to: start + span };
}

/** The same width, moved by a share of it. */
export function panBy({ from, to }: Zoom, share: number): Zoom {
  const span = to - from;
  const start = Math.min(1 - span, Math.max(0, from + share * span));
  return { from: start, to: start + span };
}

/** The shown part narrowed to a stretch of it. */
export function zoomTo({ from, to }: Zoom, start: number, end: number): Zoom {
  const span = to - from;
  const [low, high] = [Math.min(start, end), Math.max(start, end)];
  const middle = from + ((low + high) / 2) * span;
  const half = Math.max(MIN_SPAN, (high - low) * span) / 2;
  const left = Math.min(1 - 2 * half, Math.max(0, middle - half));
  return { from: left, to: left + 2 * half };
}

/** Nothing narrower can be told apart. */
const MIN_SPAN = 1 / 64;
