/** @file The frame of a small plot: ticks, grid and titles of both axes. */
import type { VNode } from "preact";
import { tickText } from "./numbers.ts";
import { ticksBetween, type Scale } from "./scale.ts";

/** Pixels around a plot's area, in the units of its view box. */
export const MARGIN = { top: 26, right: 12, bottom: 38, left: 40 } as const;

/** Axes of a plot `width` × `height` whose scales map into the area inside the margins. Titles name the quantity with its unit. */
export function Axes({
  x,
  y,
  width,
  height,
  xTitle,
  yTitle,
  yText = tickText,
  xText = tickText,
}: {
  readonly x: Scale;
  readonly y: Scale;
  readonly width: number;
  readonly height: number;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly xText?: (value: number) => string;
  readonly yText?: (value: number) => string;
}): VNode {
  const bottom = height - MARGIN.bottom;
  const right = width - MARGIN.right;
  return (
    <g class="sr-axis">
      {ticksBetween(y.domain[0], y.domain[1], 4).map((tick) => (
        <g key={tick} transform={`translate(0,${y(tick).toFixed(1)})`}>
          <line class="sr-grid" x1={MARGIN.left} x2={right} />
          <text x={MARGIN.left - 6} dy="0.32em" text-anchor="end">
            {yText(tick)}
          </text>
        </g>
      ))}
      {ticksBetween(x.domain[0], x.domain[1], 4).map((tick) => (
        <g key={tick} transform={`translate(${x(tick).toFixed(1)},${bottom})`}>
          <line class="sr-tick" y2={4} />
          <text y={15} text-anchor="middle">
            {xText(tick)}
          </text>
        </g>
      ))}
      <line class="sr-base" x1={MARGIN.left} x2={right} y1={bottom} y2={bottom} />
      <text x={right} y={height - 6} text-anchor="end">
        {xTitle} →
      </text>
      <text x={4} y={12}>
        ↑ {yTitle}
      </text>
    </g>
  );
}
