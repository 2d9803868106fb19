/**
 * @file The task "algebra": short exercises of three levels in the style of MATH's algebra
 * (Hendrycks et al. 2021, arXiv 2103.03874), with the answer in a box.
 *
 *     Solve for x: 3x + 5 = 20.
 *     3x = 20 - 5 = 15
 *     x = 15 / 3 = 5
 *     \boxed{5}
 *
 * Level 1: an equation of two steps, a value, a sum of fractions. Level 2: letters on both
 * sides, brackets, solutions that are fractions, sums and differences, sequences. Level 3:
 * fractions of sums, quadratics, systems, sums of sequences. Not here: the MATH problems
 * themselves, which users may load as data of their own.
 */
import type { Rng } from "../../core/rng.ts";
import { drawQuestions } from "../drawQuestions.ts";
import { checkFinalBox } from "../finalBox.ts";
import { apportion, regionOf } from "../splits.ts";
import type { Region } from "../splits.ts";
import { checkSize, checkWeights, drawSplits } from "../taskOptions.ts";
import type { Question, Task } from "../types.ts";
import { AUTHOR } from "./author.ts";
import { NORMAL, drawExercise } from "./drawExercise.ts";
import type { Difficulty } from "./family.ts";
import { CLUSTER_NAMES } from "./inWords.ts";
import type { Cluster } from "./inWords.ts";
import { FAMILIES, canonicalForm, exerciseKey, levelName, questionOf, verifyPair } from "./question.ts";

export const ALGEBRA = "algebra";

const DIFFICULTIES: readonly Difficulty[] = [1, 2, 3];
export const LEVELS: readonly string[] = DIFFICULTIES.map(levelName);

/** The mixture of every split. */
export interface AlgebraOptions {
  /** Relative weights by level name, all alike by default; a level left out has weight 0. */
  readonly levels?: Readonly<Record<string, number>>;
  /** By how questions are told: "plain", the default, or "in words" (`3 times x plus 5 equals 20`), which the built-in student has never seen. */
  readonly clusters?: Readonly<Partial<Record<Cluster, number>>>;
}

/**
 * The task with the given mixture, each level and cluster in its exact share of a split.
 * @throws BadInputError for unknown levels or clusters, weights below 0 or all 0.
 */
export function algebraTask(options: AlgebraOptions = {}): Task {
  const weights = checkOptions(options);
  return {
    name: ALGEBRA,
    levels: LEVELS,
    author: AUTHOR,
    prompt: (question) => `${question}\n`,
    completion: (question) => question.answer,
    canonical: canonicalForm,
    splits: (sizes, rng) =>
      drawSplits(ALGEBRA, sizes, (split, size) => drawCells(split, split, weights, size, rng, "once")),
    check: checkFinalBox,
    verify: verifyPair,
  };
}

/** `n` exercises of all levels to pretrain a student on (or as `options` say), disjoint from every split and from what the built-in teacher writes; the same exercise may return in other words. */
export function pretrainingSlice(rng: Rng, n: number, options: AlgebraOptions = {}): readonly Question[] {
  const size = checkSize(`${ALGEBRA}: pretraining`, n);
  return drawCells("pretraining", "pretraining", checkOptions(options), size, rng, "again");
}

interface Mixture {
  readonly levels: readonly number[];
  readonly clusters: readonly number[];
}

function checkOptions({ levels, clusters }: AlgebraOptions): Mixture {
  const alike = Object.fromEntries(LEVELS.map((name) => [name, 1]));
  return {
    levels: checkWeights(`${ALGEBRA}: levels`, levels ?? alike, LEVELS),
    clusters: checkWeights(`${ALGEBRA}: clusters`, clusters ?? { plain: 1 }, CLUSTER_NAMES),
  };
}

function drawCells(
  split: string,
  region: Region,
  weights: Mixture,
  size: number,
  rng: Rng,
  forms: "once" | "again",
): Question[] {
  const shares = apportion(weights.clusters, size);
  const cells = CLUSTER_NAMES.flatMap((cluster, k) => {
    const counts = apportion(weights.levels, shares[k] ?? 0);
    return DIFFICULTIES.map((difficulty, i) => ({ difficulty, cluster, count: counts[i] ?? 0 }));
  });
  return drawQuestions(
    cells.map(({ difficulty, cluster, count }) => {
      const families = FAMILIES.filter((family) => family.levels.includes(difficulty));
      const name = cluster === "plain" ? levelName(difficulty) : `${levelName(difficulty)}, ${cluster}`;
      return {
        name,
        stream: name,
        count,
        draw: (own) => {
          const exercise = drawExercise(own.pick(families), difficulty, NORMAL, own, cluster);
          return exercise && { form: exerciseKey(exercise), question: () => questionOf(exercise) };
        },
      };
    }),
    {
      task: ALGEBRA,
      split,
      inRegion: (form) => regionOf(form) === region,
      forms,
      hint: "Ask for fewer",
    },
    rng,
  );
}
