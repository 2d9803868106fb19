/** @file A report's numbers as people read them, in one notation (decimal point, comma groups) on every machine. */
import type { Estimate } from "../study/reportSchema.ts";

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
/** Keeps a number and its unit on one line. */
const NBSP = "\u00a0";

/** How a figure is shown: a share in per cent, a difference of shares in points, or as it is. */
export type FigureUnit = "share" | "points" | "number";

/** 0.615 as `61.5 %`, a difference of 0.035 as `+3.5 points`, another number with three digits. */
export function figure(value: number, unit: FigureUnit): string {
  if (unit === "share") return `${(100 * value).toFixed(1)}${NBSP}%`;
  if (unit === "points") return `${signed(100 * value)}${NBSP}points`;
  return value.toFixed(Math.abs(value) < 10 ? 3 : 1);
}

/** Both ends of an interval without unit; an end that is not bounded is a word. */
export function ends({ low, high }: Pick<Estimate, "low" | "high">, unit: FigureUnit): string {
  if (low === null && high === null) return "–";
  const shown = (end: number | null, none: string): string => {
    if (end === null) return none;
    if (unit === "share") return (100 * end).toFixed(1);
    return unit === "points" ? signed(100 * end) : end.toFixed(Math.abs(end) < 10 ? 2 : 1);
  };
  return `${shown(low, "no bound")} to ${shown(high, "no bound")}`;
}

/** `12,300`. */
export function integer(value: number): string {
  return grouped.format(value);
}

/** `0.031`, `< 0.001`. */
export function pValue(p: number): string {
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}

function signed(value: number): string {
  const text = Math.abs(value).toFixed(1);
  return Number(text) === 0 ? "0.0" : `${value < 0 ? "−" : "+"}${text}`;
}

/** A tick of an axis, short: `1.5`, `12k`, `0.002`. */
export function tickText(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6) return `${trim(value / 1e6)}M`;
  if (size >= 1e4) return `${trim(value / 1e3)}k`;
  return trim(value);
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)));
}
