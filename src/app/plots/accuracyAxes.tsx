/** @file The frame that all learning curves of the page share: accuracy upwards, accepted pairs to the right, with their titles. What is drawn in it comes from elsewhere. */
import type { VNode } from "preact";
import { ticksBetween } from "../../charts/scale.ts";

/** Below this width fewer ticks, and less height. */
export const NARROW_PX = 480;

/** Grid, ticks and titles. Scales and margins are those of what is drawn inside, in pixels. */
export function AccuracyAxes({
  x,
  y,
  domain: [low, high],
  last,
  width,
  height,
  margin,
  title,
}: {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  /** Of the accuracy, 0…1. */
  readonly domain: readonly [number, number];
  /** Largest number of pairs. */
  readonly last: number;
  readonly width: number;
  readonly height: number;
  readonly margin: { readonly left: number; readonly right: number; readonly bottom: number };
  /** Of what the accuracy is. */
  readonly title: string;
}): VNode {
  const [left, right, base] = [margin.left, width - margin.right, height - margin.bottom];
  return (
    <g class="axis">
      {ticksBetween(low, high, 5).map((tick) => (
        <g key={tick} transform={`translate(0,${y(tick).toFixed(1)})`}>
          <line class="grid" x1={left} x2={right} />
          <text x={left - 8} dy="0.32em" text-anchor="end">
            {Math.round(tick * 100)}
          </text>
        </g>
      ))}
      {ticksBetween(0, last, width < NARROW_PX ? 4 : 8)
        .filter(Number.isInteger)
        .map((tick) => (
          <g key={tick} transform={`translate(${x(tick).toFixed(1)},${base})`}>
            <line class="tick" y2={5} />
            <text y={18} text-anchor="middle">
              {tick}
            </text>
          </g>
        ))}
      <line class="base" x1={left} x2={right} y1={base} y2={base} />
      <text class="axis-title" x={right} y={height - 8} text-anchor="end">
        accepted synthetic pairs →
      </text>
      <text class="axis-title" x={0} y={12}>
        {title}
      </text>
    </g>
  );
}
