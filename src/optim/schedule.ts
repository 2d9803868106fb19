/** @file Learning-rate schedules, as transformers' `get_scheduler`. */
import { badInput } from "../core/errors.ts";

export const SCHEDULERS = ["constant", "constant_with_warmup", "linear", "cosine"] as const;
export type Schedule = (typeof SCHEDULERS)[number];

/**
 * Factor on the base learning rate in step `step` (0-based) of `totalSteps`:
 * linear warm-up from 0 over `warmupSteps`, then constant, linear to 0, or half a
 * cosine to 0. `constant` with warm-up steps warms up too (`constant_with_warmup`).
 */
export function learningRateFactor(schedule: Schedule, step: number, totalSteps: number, warmupSteps: number): number {
  if (step < warmupSteps) return step / Math.max(1, warmupSteps);
  const progress = (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps);
  switch (schedule) {
    case "constant":
    case "constant_with_warmup":
      return 1;
    case "linear":
      return Math.max(0, 1 - progress);
    case "cosine":
      return Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
    default:
      return badInput("scheduler", SCHEDULERS.join(", "), String(schedule satisfies never));
  }
}
