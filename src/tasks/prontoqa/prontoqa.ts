/**
 * @file The task "prontoqa": chains of reasoning in fictional ontologies, after Saparov and
 * He 2023 (arXiv 2210.01240), built around their proof rather than drawn and thrown away.
 *
 *     Each yumpus is a dumpus. Wumpuses are sour. Dumpuses are not sour. Max is a yumpus. True or false: Max is sour.
 *     Max is a yumpus. Each yumpus is a dumpus. Max is a dumpus. Dumpuses are not sour. Max is not sour.
 *     Answer: False
 *
 * Difficulty has two axes: `level`, the rules of the proof, and the tag `order`, whether
 * the text states them in the order of the proof. The tag `cluster` is how rules are told.
 * Not here: the ProntoQA data set itself.
 */
import type { Rng } from "../../core/rng.ts";
import { drawQuestions } from "../drawQuestions.ts";
import { apportion, regionOf } from "../splits.ts";
import type { Region } from "../splits.ts";
import { checkSize, checkWeights, drawSplits } from "../taskOptions.ts";
import type { Question, Task } from "../types.ts";
import { AUTHOR } from "./author.ts";
import { MAX_HOPS, ORDERS, drawProblem } from "./drawProblem.ts";
import type { Order } from "./drawProblem.ts";
import { canonicalForm, checkTruth, verifyPair } from "./proof.ts";
import { levelName, questionOf } from "./question.ts";
import { CLUSTER_NAMES } from "./sentences.ts";
import type { Cluster } from "./sentences.ts";

export const PRONTOQA = "prontoqa";

/** Levels by rules in the proof, "1 hop" to "5 hops". */
export const LEVELS: readonly string[] = Array.from({ length: MAX_HOPS }, (_, i) => levelName(i + 1));

/** The mixture of every split. Weights are relative; a name left out has weight 0. */
export interface ProntoqaOptions {
  /** By level name; all alike by default. */
  readonly levels?: Readonly<Record<string, number>>;
  /** By order of the sentences; both alike by default. */
  readonly orders?: Readonly<Partial<Record<Order, number>>>;
  /** By how rules are told: "plain" (`Each wumpus is …`, `Wumpuses are …`), the default, or "article" (`A wumpus is …`), which the built-in student has never seen. */
  readonly clusters?: Readonly<Partial<Record<Cluster, number>>>;
}

/**
 * The task with the given mixture, each level, order and cluster in its exact share of a split.
 * @throws BadInputError for unknown levels, orders or clusters, weights below 0 or all 0.
 */
export function prontoqaTask(options: ProntoqaOptions = {}): Task {
  const weights = checkOptions(options);
  return {
    name: PRONTOQA,
    levels: LEVELS,
    author: AUTHOR,
    prompt: (question) => `${question}\n`,
    completion: (question) => question.answer,
    canonical: canonicalForm,
    splits: (sizes, rng) =>
      drawSplits(PRONTOQA, sizes, (split, size) => drawCells(split, split, weights, size, rng, "once")),
    check: checkTruth,
    verify: verifyPair,
  };
}

/** `n` problems of all levels to pretrain a student on (or as `options` say), disjoint from every split and from what the built-in teacher writes; the same proof may return among other rules. */
export function pretrainingSlice(rng: Rng, n: number, options: ProntoqaOptions = {}): readonly Question[] {
  const size = checkSize(`${PRONTOQA}: pretraining`, n);
  return drawCells("pretraining", "pretraining", checkOptions(options), size, rng, "again");
}

interface Mixture {
  readonly levels: readonly number[];
  readonly orders: readonly number[];
  readonly clusters: readonly number[];
}

function checkOptions({ levels, orders, clusters }: ProntoqaOptions): Mixture {
  const alike = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, 1]));
  return {
    levels: checkWeights(`${PRONTOQA}: levels`, levels ?? alike(LEVELS), LEVELS),
    orders: checkWeights(`${PRONTOQA}: orders`, orders ?? alike(ORDERS), ORDERS),
    clusters: checkWeights(`${PRONTOQA}: clusters`, clusters ?? { plain: 1 }, CLUSTER_NAMES),
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
  const plans = LEVELS.flatMap((_, i) => ORDERS.map((order) => ({ hops: i + 1, order })));
  const within = weights.levels.flatMap((level) => weights.orders.map((order) => level * order));
  // Clusters first: a rare one would lose its few questions to rounding in many small cells.
  const shares = apportion(weights.clusters, size);
  const cells = CLUSTER_NAMES.flatMap((cluster, k) => {
    const counts = apportion(within, shares[k] ?? 0);
    return plans.map((plan, i) => ({ ...plan, cluster, count: counts[i] ?? 0 }));
  });
  return drawQuestions(
    cells.map(({ hops, order, cluster, count }) => {
      const plain = `${levelName(hops)}, ${order}`;
      const name = cluster === "plain" ? plain : `${plain}, ${cluster}`;
      return {
        name,
        stream: name,
        count,
        draw: (own) => {
          const drawn = questionOf(drawProblem({ hops, order, cluster }, own));
          // A shuffled text may come out in order; it then counts as that.
          return drawn?.question.tags?.["order"] === order || hops === 1
            ? drawn && { form: drawn.form, question: () => drawn.question }
            : undefined;
        },
      };
    }),
    {
      task: PRONTOQA,
      split,
      inRegion: (form) => regionOf(form) === region,
      forms,
      hint: "Ask for fewer, or for longer proofs",
    },
    rng,
  );
}
