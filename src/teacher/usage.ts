/** @file Sums of what teacher calls used. */
import type { TeacherUsage } from "./types.ts";

/** Nothing used. */
export const NO_USAGE: TeacherUsage = { requests: 0, promptTokens: 0, completionTokens: 0, costUsd: 0, durationMs: 0 };

/** Field-wise sum. */
export function addUsage(a: TeacherUsage, b: TeacherUsage): TeacherUsage {
  const cached = (a.cached ?? 0) + (b.cached ?? 0);
  return {
    requests: a.requests + b.requests,
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    costUsd: a.costUsd + b.costUsd,
    durationMs: a.durationMs + b.durationMs,
    ...(cached === 0 ? {} : { cached }),
  };
}
