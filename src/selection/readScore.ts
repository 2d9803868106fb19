/** @file A seed's measure from a student's scores of one row. */
import { invariant } from "../core/errors.ts";
import type { ScoreRow } from "../student/types.ts";
import type { Measure } from "./types.ts";

/** The score that `measure` names of `row`: `s`, or `1 − s`, the token mean; times the row's tokens for the sum. */
export function readScore(measure: Extract<Measure, { readonly kind: "score" }>, row: ScoreRow): number {
  const mean = row[measure.score];
  invariant(mean !== undefined, `row ${row.id} was scored by ${measure.score}`);
  const value = measure.complement === true ? 1 - mean : mean;
  return measure.reduction === "sum" ? value * row.tokens : value;
}
