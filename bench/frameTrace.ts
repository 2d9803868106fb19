/**
 * @file What a trace of Chromium says of the page's frames: intervals between them, tasks of the
 * page's main thread, and what each frame cost it. Wall time counts waiting for a core that
 * something else has; thread time (`tdur`) is the page's own work alone.
 */

/** Categories that `framesOf` reads. */
export const CATEGORIES = ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"];

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  /** Microseconds, as all times of a trace. */
  readonly ts: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** Percentiles in ms. */
export type Summary = Readonly<Record<"count" | "median" | "p95" | "p99" | "max", number>>;

export interface Frames {
  /** Between callbacks of `requestAnimationFrame`. */
  readonly framesWallMs: Summary;
  readonly framesOver50MsPercent: number;
  /** CPU time of the main thread from one frame to the next, all its tasks together. */
  readonly mainThreadCpuPerFrameMs: Summary;
  /** CPU time of single tasks of at least 1 ms: thousands of tiny ones would flatter the percentiles. */
  readonly tasksCpuMs: Summary;
  readonly tasksWallMs: Summary;
  readonly mainThreadCpuPercent: number;
  /** CPU time of all its tasks in the trace. */
  readonly mainThreadCpuMs: number;
}

/** Frames of the renderer that drew most in the trace; its page must ask for one after the other. */
export function framesOf(trace: Buffer): Frames {
  const { traceEvents } = JSON.parse(trace.toString()) as { readonly traceEvents: readonly TraceEvent[] };
  const key = ({ pid, tid }: TraceEvent): string => `${pid} ${tid}`;
  const starts = new Map<string, number[]>();
  for (const event of traceEvents)
    if (event.name === "FireAnimationFrame") starts.set(key(event), [...(starts.get(key(event)) ?? []), event.ts]);
  const [main, all = []] = [...starts].sort(([, a], [, b]) => b.length - a.length)[0] ?? [];
  // Several callbacks may run in one frame.
  const frames = all.sort((a, b) => a - b).filter((ts, i) => i === 0 || ts - (all[i - 1] ?? 0) > 2000);
  const tasks = traceEvents.filter((event) => event.name === "RunTask" && event.ph === "X" && key(event) === main);
  const cpu = new Float64Array(Math.max(0, frames.length - 1));
  let total = 0;
  for (const { ts, dur = 0, tdur = 0 } of tasks) {
    total += tdur / 1000;
    // A task belongs to the frame that begins in it, else to the one before.
    const after = frames.findIndex((frame) => frame >= ts);
    const begins = after >= 0 && (frames[after] ?? 0) <= ts + dur;
    const index = begins ? after : after - 1;
    if (index >= 0 && index < cpu.length) cpu[index] = (cpu[index] ?? 0) + tdur / 1000;
  }
  const intervals = frames.slice(1).map((frame, i) => (frame - (frames[i] ?? frame)) / 1000);
  const spanMs = ((frames.at(-1) ?? 0) - (frames[0] ?? 0)) / 1000;
  return {
    framesWallMs: summary(intervals),
    framesOver50MsPercent: rounded((100 * intervals.filter((ms) => ms > 50).length) / Math.max(1, intervals.length)),
    mainThreadCpuPerFrameMs: summary([...cpu]),
    tasksCpuMs: summary(tasks.flatMap(({ tdur = 0 }) => (tdur >= 1000 ? [tdur / 1000] : []))),
    tasksWallMs: summary(tasks.flatMap(({ dur = 0 }) => (dur >= 1000 ? [dur / 1000] : []))),
    mainThreadCpuPercent: rounded((100 * total) / Math.max(1, spanMs)),
    mainThreadCpuMs: rounded(total),
  };
}

function summary(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    rounded(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return { count: sorted.length, median: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

function rounded(value: number): number {
  return Math.round(10 * value) / 10;
}
