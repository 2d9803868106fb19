/**
 * @file Why a strategy does what it does: figures of one finished run. Each has a name, and
 * a sentence that says what it means; the report averages them over the runs of a strategy.
 */
import type { RoundSummary } from "../loop/records.ts";
import { evenly } from "./evenly.ts";
import { mean } from "./sampling.ts";
import { distinctN, nearDuplicateShare } from "./textDiversity.ts";
import type { StudyRun } from "./types.ts";

/** Texts are compared in samples of so many, evenly over the run: diversity falls with their number. */
const TEXT_SAMPLE = 100;

/** What each figure is, in the order of the report. `share`: shown in per cent. */
export const DIAGNOSTICS = {
  coverage: { label: "seeds used", unit: "share", help: "Different seeds picked, over the seeds of the pool." },
  coverageEntropy: {
    label: "coverage entropy",
    unit: "number",
    help: "Entropy of how often each seed was picked, over that of even picks: 1 uses all alike.",
  },
  repeatRate: {
    label: "repeat selections",
    unit: "share",
    help: "Picks of a seed that an earlier round had picked, over the picks after the first round.",
  },
  pickedBaseAccuracy: {
    label: "picked, answered right at first",
    unit: "share",
    help: "Picks whose question the untouched student answers right: low picks are hard ones.",
  },
  difficultyShift: {
    label: "picked − pool, answered right at first",
    unit: "points",
    help: "The same minus the pool's own share: below 0 picks are harder than the pool.",
  },
  pickedLevel: {
    label: "level of picks",
    unit: "number",
    help: "Mean level of difficulty of the picked seeds, 0 being the task's easiest and 1 its hardest.",
  },
  verificationYield: {
    label: "verification yield",
    unit: "share",
    help: "Pairs accepted, over the questions asked for.",
  },
  teacherErrorRate: {
    label: "teacher errors",
    unit: "share",
    help: "Pairs that the task's own check rejects, over the pairs that the teacher wrote.",
  },
  duplicateRate: {
    label: "rejected duplicates",
    unit: "share",
    help: "Questions rejected because they, or ones much like them, were there already, over the questions asked for.",
  },
  distinct1: { label: "distinct-1", unit: "number", help: "Different words over words, in 100 accepted questions." },
  distinct2: { label: "distinct-2", unit: "number", help: "Different word pairs over word pairs, in 100 questions." },
  nearDuplicates: {
    label: "near-duplicates",
    unit: "share",
    help: "Of 100 accepted questions those with a ROUGE-L of at least 0.7 to an earlier one.",
  },
  seedSimilarity: {
    label: "likeness to the seed",
    unit: "number",
    help: "ROUGE-L of accepted questions with the seed they were written after, mean of 100.",
  },
  dispersion: {
    label: "embedding dispersion",
    unit: "number",
    help: "Variance of accepted pairs' mean hidden states over their mean square, in the untouched student.",
  },
  influence: {
    label: "one-step influence",
    unit: "number",
    help: "Cosine of the output head's gradients of accepted pairs and of validation pairs, at the untouched student: over 0 a small step on the pairs lowers the validation loss.",
  },
} as const satisfies Readonly<
  Record<string, { readonly label: string; readonly unit: "share" | "points" | "number"; readonly help: string }>
>;

export type DiagnosticName = keyof typeof DIAGNOSTICS;

/** Entropy `−Σ q log q` of the picks over the seeds, over `log(min(pool, picks))`, the most there can be; undefined where that is 0. */
export function coverageEntropy(pickedIds: readonly string[], poolSize: number): number | undefined {
  const counts = new Map<string, number>();
  for (const id of pickedIds) counts.set(id, (counts.get(id) ?? 0) + 1);
  const most = Math.log(Math.min(poolSize, pickedIds.length));
  if (!(most > 0)) return undefined;
  let entropy = 0;
  for (const count of counts.values()) entropy -= (count / pickedIds.length) * Math.log(count / pickedIds.length);
  return entropy / most;
}

/** Share of the picks after the first round with picks whose seed an earlier round had picked; undefined for fewer than two such rounds. */
export function repeatRate(rounds: readonly (readonly string[])[]): number | undefined {
  const seen = new Set<string>();
  let [later, repeats] = [0, 0];
  rounds.forEach((ids, index) => {
    if (index > 0) {
      later += ids.length;
      repeats += ids.filter((id) => seen.has(id)).length;
    }
    for (const id of ids) seen.add(id);
  });
  return later === 0 ? undefined : repeats / later;
}

/** The figures of a run that exist for it. */
export function diagnose({
  picks,
  examples,
  measures,
  rounds: summaries,
}: StudyRun): Partial<Record<DiagnosticName, number>> {
  const rounds = picks.map((entry) => entry.picks.map(({ seedId }) => seedId)).filter((ids) => ids.length > 0);
  const picked = rounds.flat();
  const accepted = examples.filter((example) => example.accepted);
  const sample = evenly(accepted, TEXT_SAMPLE);
  const texts = sample.map(({ question }) => question);
  const share = (part: number, whole: number): number | undefined => (whole === 0 ? undefined : part / whole);
  const { pickedBaseAccuracy, poolBaseAccuracy, poolSize = 0 } = measures ?? {};
  const figures: Record<DiagnosticName, number | null | undefined> = {
    coverage: picked.length === 0 ? undefined : share(new Set(picked).size, poolSize),
    coverageEntropy: coverageEntropy(picked, poolSize),
    repeatRate: repeatRate(rounds),
    pickedBaseAccuracy,
    difficultyShift:
      typeof pickedBaseAccuracy === "number" && typeof poolBaseAccuracy === "number"
        ? pickedBaseAccuracy - poolBaseAccuracy
        : undefined,
    pickedLevel: meanLevel(
      picks.flatMap((entry) => entry.picks.map(({ level }) => level)),
      Object.keys(summaries[0]?.evaluation.byLevel ?? {}),
    ),
    verificationYield: share(accepted.length, examples.length),
    teacherErrorRate: share(sumOf(summaries, "unsound"), sumOf(summaries, "taught")),
    duplicateRate: share(
      examples.filter(({ verification }) => verification === "duplicate" || verification === "near-duplicate").length,
      examples.length,
    ),
    distinct1: distinctN(texts, 1),
    distinct2: distinctN(texts, 2),
    nearDuplicates: nearDuplicateShare(texts),
    seedSimilarity: measures?.seedSimilarity,
    dispersion: measures?.dispersion,
    influence: measures?.influence,
  };
  return Object.fromEntries(
    Object.entries(figures).filter(([, value]) => typeof value === "number" && Number.isFinite(value)),
  );
}

/** Mean place of the levels among those of the task, easy to hard, 0…1; levels that no test question has are left out. */
function meanLevel(picked: readonly string[], easyToHard: readonly string[]): number | undefined {
  const places = picked.map((level) => easyToHard.indexOf(level)).filter((place) => place >= 0);
  return places.length === 0 || easyToHard.length < 2 ? undefined : mean(places) / (easyToHard.length - 1);
}

/** Of all rounds. */
function sumOf(rounds: readonly RoundSummary[], key: "taught" | "unsound"): number {
  return rounds.reduce((sum, round) => sum + round[key], 0);
}
