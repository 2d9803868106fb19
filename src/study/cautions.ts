/** @file What a reader must know before believing a report's numbers, said of this report. */
import type { StudyReportData } from "./reportSchema.ts";
import { smallestP } from "./significance.ts";

/** Fewer runs than this make percentile bootstrap intervals clearly too narrow. */
const FEW_SEEDS = 10;

/** Sentences, most important first. */
export function cautionsOf(report: Omit<StudyReportData, "cautions">): string[] {
  const cautions: string[] = [];
  const { planned, finished } = report.runs;
  if (finished < planned)
    cautions.push(`${planned - finished} of ${planned} runs are not finished and take no part in any comparison.`);
  const seeds = report.seeds.length;
  if (seeds === 1) cautions.push("One seed: no interval and no test can be given. Differences may be chance entirely.");
  else if (seeds < FEW_SEEDS)
    cautions.push(
      `${seeds} seeds: bootstrap intervals over so few runs are narrower than their name says, and no paired test within one task can give a p-value under ${smallestP(seeds)}.`,
    );
  if (report.comparisons.some((comparison) => comparison.split === "validation"))
    cautions.push("Accuracies are of the validation split: settings may have been chosen on it.");
  if (report.engines.length > 1)
    cautions.push(`Runs were computed on ${report.engines.length} kinds of engine, which agree to rounding only.`);
  const small = report.comparisons.filter(({ questions }) => questions < 100);
  if (small.length > 0)
    cautions.push(
      `Accuracy is a share of ${Math.min(...small.map(({ questions }) => questions))} questions in ${small.map(({ task }) => task).join(", ")}: one question is a point or more.`,
    );
  const unmoved = report.comparisons.filter(({ strategies }) => {
    const curve = strategies.find(({ name }) => name === report.reference)?.curve ?? [];
    return curve.length > 1 && (curve.at(-1)?.accuracy.value ?? 0) <= (curve[0]?.accuracy.value ?? 0);
  });
  if (unmoved.length > 0)
    cautions.push(
      `With ${report.reference} the student ends no better than untouched in ${[...new Set(unmoved.map(({ task }) => task))].join(", ")}: what is compared there is how little training harms, and no price of an accuracy is given unless the study names one.`,
    );
  const unequal = report.comparisons.filter(({ strategies }) => {
    const ends = strategies.flatMap(({ curve }) => curve.at(-1)?.examples ?? []).filter((examples) => examples > 0);
    return ends.length > 0 && Math.max(...ends) > 1.1 * Math.min(...ends);
  });
  if (unequal.length > 0)
    cautions.push(
      `Strategies ended with unequal numbers of accepted pairs in ${[...new Set(unequal.map(({ task }) => task))].join(", ")}: read the curves, not only their ends.`,
    );
  return cautions;
}
