/** @file Numbers as people read them. Fixed to one notation (decimal point, comma groups), so that screenshots and tests agree on every machine. */

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** Keeps a number and its unit on one line. */
export const NBSP = "\u00a0";

/** `12,300`. */
export function formatInteger(value: number): string {
  return grouped.format(value);
}

/** `1 seed`, `32 seeds`. */
export function formatCount(value: number, noun: string): string {
  return `${formatInteger(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** 12.5 → `$12.50`; 0.0031 → `$0.0031`; 0 → `$0`. */
export function formatUsd(value: number): string {
  if (value === 0) return "$0";
  return `$${value.toFixed(value < 1 ? 4 : 2)}`;
}

/** 0.615 → `61.5 %` (no-break space). */
export function formatPercent(value: number): string {
  return Number.isFinite(value) ? `${(value * 100).toFixed(1)}${NBSP}%` : "–";
}

/** 0.035 → `+3.5 points` (percentage points). */
export function formatPoints(value: number): string {
  return `${signed(value * 100)}${NBSP}points`;
}

/** (−0.061, 0.13) → `−6.1 to +13.0`. */
export function formatInterval(low: number, high: number): string {
  return `${signed(low * 100)} to ${signed(high * 100)}`;
}

function signed(value: number): string {
  const text = Math.abs(value).toFixed(1);
  return Number(text) === 0 ? "0.0" : `${value < 0 ? "−" : "+"}${text}`;
}

/** A loss in nats: `0.412`; `–` where there is none. */
export function formatNats(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return "not finite";
  return value.toFixed(value < 10 ? 3 : 1);
}

/** 3,400,000 → `3.4 M`; 12,300 → `12,300`. */
export function formatLarge(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return value >= 1e6 ? `${(value / 1e6).toFixed(1)} M` : formatInteger(value);
}

/** 83,000 → `1 min 23 s`; 4,200 → `4.2 s`. */
export function formatDuration(durationMs: number): string {
  const seconds = durationMs / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** 269,060,552 → `269 MB`; 4,200,000 → `4.2 MB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"] as const;
  let value = bytes;
  let unit = 0;
  // 999.5 would be shown as 1000.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value < 9.95 && unit > 0 ? value.toFixed(1) : Math.round(value)}${NBSP}${units[unit] ?? ""}`;
}

/** A student's name, and its adapter's, without what only machines need: `hub:org/name@<commit>` → `org/name@<8 of it>`. */
export function formatStudent(name: string): string {
  return name.replace(/(^| \+ )(?:hub|folder):/g, "$1").replace(/@([0-9a-f]{8})[0-9a-f]{32}(?= \+ |$)/g, "@$1");
}
