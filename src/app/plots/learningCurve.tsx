/**
 * @file Accuracy on held-out questions against accepted synthetic pairs, one line a
 * lane, whiskers (a band, when there are many) for the 95 % Wilson interval of every point.
 * The x axis reaches to the whole budget from the start, so that the curves grow into it.
 */
import type { VNode } from "preact";
import type { RoundSummary } from "../../loop/records.ts";
import { widestGap } from "../comparison.ts";
import { formatCount, formatPercent, formatPoints } from "../format.ts";
import { LaneMark } from "../components/icons.tsx";
import { linePath, linearScale, niceDomain } from "../../charts/scale.ts";
import { AccuracyAxes, NARROW_PX } from "./accuracyAxes.tsx";
import { useWidth } from "./useWidth.ts";

export interface CurveLane {
  readonly label: string;
  readonly rounds: readonly RoundSummary[];
}

export interface LearningCurveProps {
  readonly lanes: readonly CurveLane[];
  /** Largest number of accepted pairs a lane can reach. */
  readonly budget: number;
}

const MARGIN = { top: 30, right: 84, bottom: 46, left: 36 } as const;
/** Lanes stand a little apart, so that whiskers do not cover each other. */
const DODGE_PX = 7;
/** From this many points on, whiskers would run together: a band instead. */
const BAND_POINTS = 16;
/** From this many points on, single marks are a smear and cost a frame: the line and the last mark remain. */
export const LINE_POINTS = 200;
/** The y axis spans at least this much accuracy: noise must not look like progress. */
const MIN_SPAN = 0.4;

/** Accuracy axis: round multiples around all intervals, at least `MIN_SPAN` wide, inside 0…1. */
export function accuracyDomain(lanes: readonly CurveLane[]): readonly [number, number] {
  const evaluations = lanes.flatMap(({ rounds }) => rounds.map(({ evaluation }) => evaluation));
  if (evaluations.length === 0) return [0, 1];
  const low = Math.min(...evaluations.map((evaluation) => evaluation.low));
  const high = Math.max(...evaluations.map((evaluation) => evaluation.high));
  const spare = Math.max(0, MIN_SPAN - (high - low)) / 2;
  // Room that would lie outside 0…1 goes to the other side.
  const from = Math.max(0, Math.min(low - spare, 1 - MIN_SPAN));
  const to = Math.min(1, Math.max(high + spare, MIN_SPAN));
  const [niceLow, niceHigh] = niceDomain(from, to, 5);
  return [Math.max(0, niceLow), Math.min(1, niceHigh)];
}

/** The learning curve of the race. */
export function LearningCurve({ lanes, budget }: LearningCurveProps): VNode {
  const [ref, width] = useWidth<HTMLDivElement>(640);
  const height = width < NARROW_PX ? 250 : 330;
  const evaluation = lanes.flatMap(({ rounds }) => rounds).at(-1)?.evaluation;
  const [low, high] = accuracyDomain(lanes);
  const x = linearScale([0, Math.max(1, budget)], [MARGIN.left + 10, width - MARGIN.right]);
  const y = linearScale([low, high], [height - MARGIN.bottom, MARGIN.top]);
  return (
    <div class="plot" ref={ref}>
      <svg width={width} height={height} role="img" aria-label={curveLabel(lanes)}>
        <AccuracyAxes
          {...{ x, y, width, height }}
          domain={[low, high]}
          last={Math.max(1, budget)}
          margin={MARGIN}
          title={
            evaluation === undefined
              ? "↑ % answered right"
              : `↑ % of ${formatCount(evaluation.n, `${evaluation.split} question`)} answered right`
          }
        />
        {evaluation === undefined && (
          <text class="axis-title" y={height / 2} text-anchor="middle">
            {(width < NARROW_PX
              ? ["Every curve begins with", "the untouched student."]
              : ["Every curve begins with the untouched student."]
            ).map((line, index) => (
              <tspan key={line} x={(MARGIN.left + width - MARGIN.right) / 2} dy={index === 0 ? 0 : "1.3em"}>
                {line}
              </tspan>
            ))}
          </text>
        )}
        {lanes.map((lane, index) => (
          <CurveLine
            key={index}
            lane={lane}
            index={index}
            dodge={(index - (lanes.length - 1) / 2) * DODGE_PX}
            x={x}
            y={y}
          />
        ))}
        <GapMark lanes={lanes} x={x} y={y} />
      </svg>
    </div>
  );
}

function CurveLine({
  lane,
  index,
  dodge,
  x,
  y,
}: {
  readonly lane: CurveLane;
  readonly index: number;
  /** Distance to the side, so that lanes do not hide each other; pixels. */
  readonly dodge: number;
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}): VNode {
  const points = lane.rounds.map(({ round, examples, evaluation }) => ({
    round,
    examples,
    evaluation,
    x: x(examples) + dodge,
    y: y(evaluation.accuracy),
    low: y(evaluation.low),
    high: y(evaluation.high),
  }));
  const band = [
    ...points.map((point) => [point.x, point.high] as const),
    ...points.map((point) => [point.x, point.low] as const).reverse(),
  ];
  return (
    <g class={`lane-${index}`}>
      {points.length >= BAND_POINTS && <path class="curve-band" d={`${linePath(band)}Z`} />}
      {points.length > 1 && (
        <path class="curve-line" d={linePath(points.map((point) => [point.x, point.y] as const))} />
      )}
      {(points.length < LINE_POINTS ? points : points.slice(-1)).map((point) => (
        <g key={point.round} class="curve-point">
          <title>
            {`${lane.label}, round ${point.round}: ${formatPercent(point.evaluation.accuracy)} (${point.evaluation.correct} of ${point.evaluation.n}), ` +
              `95 % interval ${formatPercent(point.evaluation.low)} to ${formatPercent(point.evaluation.high)}, ${point.examples} pairs`}
          </title>
          {points.length < BAND_POINTS && (
            <path class="curve-whisker" d={whiskerPath(point.x, point.low, point.high)} />
          )}
          <LaneMark lane={index} x={point.x} y={point.y} size={9} />
        </g>
      ))}
    </g>
  );
}

/** The widest gap to the first lane at the last round that both have, as a bracket with its size. */
function GapMark({
  lanes,
  x,
  y,
}: {
  readonly lanes: readonly CurveLane[];
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
}): VNode | null {
  const gap = widestGap(lanes);
  if (gap === undefined) return null;
  const [first, other] = [y(gap.first.evaluation.accuracy), y(gap.other.evaluation.accuracy)];
  const at = x(Math.max(gap.first.examples, gap.other.examples)) + GAP_PX;
  // On two lines: on one it would not fit beside the plot.
  const [size, unit] = formatPoints(gap.other.evaluation.accuracy - gap.first.evaluation.accuracy).split(/\s/);
  return (
    <g class={`curve-gap lane-${gap.lane}`}>
      <path
        d={`M${(at - 4).toFixed(1)},${first.toFixed(1)}h8M${(at - 4).toFixed(1)},${other.toFixed(1)}h8M${at.toFixed(1)},${first.toFixed(1)}V${other.toFixed(1)}`}
      />
      <text x={at + 8} y={(first + other) / 2}>
        {size}
        <tspan x={at + 8} dy="1.2em">
          {unit}
        </tspan>
      </text>
    </g>
  );
}

/** From the last point to the bracket. */
const GAP_PX = 18;

/** An upright bar with caps. */
function whiskerPath(x: number, low: number, high: number): string {
  const cap = 3;
  return (
    [low, high].map((y) => `M${(x - cap).toFixed(1)},${y.toFixed(1)}h${2 * cap}`).join("") +
    `M${x.toFixed(1)},${low.toFixed(1)}V${high.toFixed(1)}`
  );
}

function curveLabel(lanes: readonly CurveLane[]): string {
  const parts = lanes.map(({ label, rounds }) => {
    const last = rounds.at(-1);
    return last === undefined
      ? `${label}: nothing yet`
      : `${label}: ${formatPercent(last.evaluation.accuracy)} after ${last.examples} pairs`;
  });
  return `Learning curve: accuracy against accepted synthetic pairs. ${parts.join("; ")}. The numbers are in the table below.`;
}
