/**
 * @file Learning curves as small multiples: each strategy with its interval, the reference
 * behind it in grey, all panels on the same axes. Twenty lines in one frame could not be told apart.
 */
import type { VNode } from "preact";
import type { Comparison, StrategyReport } from "../study/reportSchema.ts";
import { Axes, MARGIN } from "./axes.tsx";
import { figure, integer } from "./numbers.ts";
import { linearScale, linePath, niceDomain } from "./scale.ts";

/** What a curve is drawn against. */
export type CurveAxisName = "examples" | "teacherTokens" | "costUsd" | "wallSeconds";

/** Titles of the axes, with units. */
export const AXIS_TITLES: Readonly<Record<CurveAxisName, string>> = {
  examples: "accepted pairs",
  teacherTokens: "teacher tokens",
  costUsd: "teacher, US dollars",
  wallSeconds: "wall time, s",
};

const WIDTH = 300;
const HEIGHT = 200;
/** The y axis spans at least this much accuracy: noise must not look like progress. */
const MIN_SPAN = 0.2;

/** One panel for each strategy but the reference, which alone gets a panel of its own. */
export function CurvePanels({
  comparison,
  reference,
  axis,
}: {
  readonly comparison: Comparison;
  readonly reference: string;
  readonly axis: CurveAxisName;
}): VNode {
  const base = comparison.strategies.find(({ name }) => name === reference);
  const others = comparison.strategies.filter(({ name }) => name !== reference);
  const shown = others.length > 0 ? others : comparison.strategies;
  const domains = domainsOf(comparison.strategies, axis);
  return (
    <div class="sr-panels">
      {shown.map((strategy) => (
        <CurvePanel
          key={strategy.name}
          strategy={strategy}
          reference={strategy === base ? undefined : base}
          comparison={comparison}
          axis={axis}
          domains={domains}
        />
      ))}
    </div>
  );
}

interface Domains {
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
}

function domainsOf(strategies: readonly StrategyReport[], axis: CurveAxisName): Domains {
  const points = strategies.flatMap(({ curve }) => curve);
  const lows = points.map(({ accuracy }) => accuracy.low ?? accuracy.value);
  const highs = points.map(({ accuracy }) => accuracy.high ?? accuracy.value);
  const [low, high] = [Math.min(1, ...lows), Math.max(0, ...highs)];
  const spare = Math.max(0, MIN_SPAN - (high - low)) / 2;
  const [from, to] = niceDomain(Math.max(0, low - spare), Math.min(1, Math.max(high + spare, MIN_SPAN)), 4);
  return { x: [0, Math.max(1e-9, ...points.map((point) => point[axis]))], y: [Math.max(0, from), Math.min(1, to)] };
}

function CurvePanel({
  strategy,
  reference,
  comparison,
  axis,
  domains,
}: {
  readonly strategy: StrategyReport;
  readonly reference: StrategyReport | undefined;
  readonly comparison: Comparison;
  readonly axis: CurveAxisName;
  readonly domains: Domains;
}): VNode {
  const x = linearScale(domains.x, [MARGIN.left + 6, WIDTH - MARGIN.right]);
  const y = linearScale(domains.y, [HEIGHT - MARGIN.bottom, MARGIN.top]);
  const last = strategy.curve.at(-1);
  const n = strategy.runs.length;
  const label =
    `${strategy.name}: ${last === undefined ? "no rounds" : `${figure(last.accuracy.value, "share")} after ${integer(last.examples)} accepted pairs`}, ` +
    `${n} ${n === 1 ? "run" : "runs"}${reference === undefined ? "" : `, ${reference.name} in grey`}. The numbers are in the table of curves.`;
  return (
    <figure class="sr-panel">
      <figcaption>
        {strategy.name} <span class="sr-soft">n = {n}</span>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
        <Axes
          x={x}
          y={y}
          width={WIDTH}
          height={HEIGHT}
          xTitle={AXIS_TITLES[axis]}
          yTitle={`% right of ${comparison.questions} ${comparison.split} questions`}
          yText={(value) => String(Math.round(100 * value))}
        />
        {reference !== undefined && <Curve strategy={reference} axis={axis} x={x} y={y} kind="sr-behind" />}
        <Curve strategy={strategy} axis={axis} x={x} y={y} kind="sr-front" />
      </svg>
    </figure>
  );
}

function Curve({
  strategy,
  axis,
  x,
  y,
  kind,
}: {
  readonly strategy: StrategyReport;
  readonly axis: CurveAxisName;
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly kind: "sr-front" | "sr-behind";
}): VNode {
  const points = strategy.curve.map((point) => ({ at: x(point[axis]), ...point.accuracy }));
  const high = points.map((point) => [point.at, y(point.high ?? point.value)] as const);
  const low = points.map((point) => [point.at, y(point.low ?? point.value)] as const).reverse();
  return (
    <g class={kind}>
      {points.length > 1 && <path class="sr-band" d={`${linePath([...high, ...low])}Z`} />}
      <path class="sr-line" d={linePath(points.map((point) => [point.at, y(point.value)] as const))} />
      {points.map((point, i) => (
        <circle key={i} class="sr-dot" cx={point.at.toFixed(1)} cy={y(point.value).toFixed(1)} r={2.5} />
      ))}
    </g>
  );
}
