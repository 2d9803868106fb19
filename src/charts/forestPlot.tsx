/** @file Differences with their intervals, one row each, around a line at zero. */
import type { VNode } from "preact";
import type { Difference } from "../study/reportSchema.ts";
import { ends, figure } from "./numbers.ts";
import { linearScale, niceDomain, ticksBetween } from "./scale.ts";

const WIDTH = 640;
const ROW = 22;
const LEFT = 170;
const RIGHT = 16;
const TOP = 8;
const BOTTOM = 40;

/** Rows of accuracy differences, in points. The verdict is in the shape too: filled where the interval leaves zero out. */
export function ForestPlot({
  rows,
  title,
}: {
  readonly rows: readonly { readonly name: string; readonly difference: Difference }[];
  /** Names what is subtracted from what. */
  readonly title: string;
}): VNode {
  const values = rows.flatMap(({ difference: { value, low, high } }) => [value, low ?? value, high ?? value]);
  const [low, high] = niceDomain(Math.min(-0.05, ...values), Math.max(0.05, ...values), 6);
  const height = TOP + rows.length * ROW + BOTTOM;
  const x = linearScale([low, high], [LEFT, WIDTH - RIGHT]);
  const bottom = height - BOTTOM;
  const label = `${title}. ${rows.map(({ name, difference }) => `${name}: ${figure(difference.value, "points")}, interval ${ends(difference, "points")}`).join("; ")}.`;
  return (
    <div class="sr-scroll" role="region" tabIndex={0} aria-label={title}>
      <svg class="sr-forest" viewBox={`0 0 ${WIDTH} ${height}`} role="img" aria-label={label}>
        <g class="sr-axis">
          {ticksBetween(low, high, 6).map((tick) => (
            <g key={tick} transform={`translate(${x(tick).toFixed(1)},0)`}>
              <line class={tick === 0 ? "sr-zero" : "sr-grid"} y1={TOP} y2={bottom} />
              <text y={bottom + 15} text-anchor="middle">
                {Math.round(100 * tick)}
              </text>
            </g>
          ))}
          <text x={WIDTH - RIGHT} y={height - 6} text-anchor="end">
            {title}, points of accuracy →
          </text>
        </g>
        {rows.map(({ name, difference: { value, low: from, high: to, n } }, i) => {
          const y = TOP + (i + 0.5) * ROW;
          const clear = from !== null && to !== null && (from > 0 || to < 0);
          return (
            <g key={name} class="sr-front">
              <text x={LEFT - 10} y={y} dy="0.32em" text-anchor="end">
                {name}
              </text>
              {from !== null && to !== null && <line class="sr-line" x1={x(from)} x2={x(to)} y1={y} y2={y} />}
              <circle class={clear ? "sr-dot" : "sr-open"} cx={x(value).toFixed(1)} cy={y} r={4.5}>
                <title>{`${name}: ${figure(value, "points")}, n = ${n}`}</title>
              </circle>
            </g>
          );
        })}
      </svg>
    </div>
  );
}
