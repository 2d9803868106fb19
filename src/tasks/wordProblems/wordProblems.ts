/**
 * @file The task "word-problems": GSM8K-like word problems told from templates over
 * small arithmetic programs. One program, its text and its worked answer:
 *
 *     Ana has 4 bags of 6 apples. She gives away 7 apples. How many apples does Ana have left?
 *     4 * 6 = 24
 *     24 - 7 = 17
 *     #### 17
 *
 * Difficulty has two axes: `level`, the number of steps, and the tag `cluster`, the
 * family of wording ("plain" is what the built-in student is pretrained on). Not
 * here: the GSM8K data set itself.
 */
import { badInput } from "../../core/errors.ts";
import type { Rng } from "../../core/rng.ts";
import { drawQuestions } from "../drawQuestions.ts";
import { checkFinalAnswer } from "../finalAnswer.ts";
import { apportion, regionOf } from "../splits.ts";
import type { Region } from "../splits.ts";
import { checkSize, checkWeights, drawSplits } from "../taskOptions.ts";
import type { Question, SplitSizes, Task } from "../types.ts";
import { createAuthor } from "./author.ts";
import { CLUSTERS } from "./phrase.ts";
import type { Cluster } from "./phrase.ts";
import { MAX_STEPS, samplePlan } from "./plan.ts";
import { canonicalForm, levelName, questionOf, verifyPair } from "./question.ts";
import { programKey } from "./program.ts";
import { storyProgram } from "./story.ts";
import { writeStory } from "./writeStory.ts";
import type { NumberLimits } from "./chooseNumbers.ts";

export const WORD_PROBLEMS = "word-problems";

/** Levels by steps, "1 step" to "4 steps". */
export const LEVELS: readonly string[] = Array.from({ length: MAX_STEPS }, (_, i) => levelName(i + 1));

/** The mixture of every split. Weights are relative; a level or cluster left out has weight 0. */
export interface WordProblemsOptions {
  /** By level name. */
  readonly levels?: Readonly<Record<string, number>>;
  /** By cluster name, see `CLUSTERS`. */
  readonly clusters?: Readonly<Partial<Record<Cluster, number>>>;
  /** Largest quantity told in a text, 40 by default (what is divided at once may be larger, up to `maxResult`). */
  readonly maxOperand?: number;
  /** Largest result of any step, 200 by default. */
  readonly maxResult?: number;
}

/**
 * Ours, chosen by measurement on validation splits: what the built-in student can learn
 * from a few hundred pairs. Many seeds it masters, many that need one step more than it
 * has seen, and three wordings it knows badly; the other wordings are there to be asked for.
 */
export const DEFAULT_CLUSTERS: Readonly<Partial<Record<Cluster, number>>> = {
  plain: 14,
  colloquial: 2,
  dozens: 2,
  "question-first": 2,
};
export const DEFAULT_LEVELS: Readonly<Record<string, number>> = {
  "1 step": 3,
  "2 steps": 4,
  "3 steps": 5,
  "4 steps": 8,
};
const PRETRAINING_LEVELS: Readonly<Record<string, number>> = { "1 step": 7, "2 steps": 7, "3 steps": 6 };
const DEFAULT_LIMITS: NumberLimits = { maxOperand: 40, maxResult: 200 };

/** What a small student's context has room for, in characters. */
const MAX_QUESTION_CHARACTERS = 219;
const MAX_ANSWER_CHARACTERS = 120;

function fits(question: Question): boolean {
  return question.question.length <= MAX_QUESTION_CHARACTERS && question.answer.length <= MAX_ANSWER_CHARACTERS;
}

interface Cell {
  readonly lines: number;
  readonly cluster: Cluster;
  readonly count: number;
}

/**
 * The task with the given mixture. Splits hold each level and cluster in its exact share
 * (largest remainder over the product of the two), in random order.
 * @throws BadInputError for unknown levels or clusters, weights below 0 or all 0, limits out of range.
 */
export function wordProblemsTask(options: WordProblemsOptions = {}): Task {
  const weights = checkOptions(options);
  const limits = { ...DEFAULT_LIMITS, ...pickDefined(options) };
  return {
    name: WORD_PROBLEMS,
    levels: LEVELS,
    author: createAuthor(limits, fits),
    prompt: (question) => `${question}\n`,
    completion: (question) => question.answer,
    canonical: canonicalForm,
    splits(sizes: SplitSizes, rng: Rng) {
      return drawSplits(WORD_PROBLEMS, sizes, (split, size) =>
        drawCells(split, split, cellsOf(weights, size), limits, rng, "once"),
      );
    },
    check: checkFinalAnswer,
    verify: verifyPair,
  };
}

/**
 * `n` easy questions to pretrain a student on: plain wording unless `clusters` says otherwise,
 * 1 to 3 steps. Disjoint by
 * canonical form from every split of every seed and from what the built-in teacher
 * writes. No text twice, but the same program may return in other words.
 */
export function pretrainingSlice(
  rng: Rng,
  n: number,
  options: Pick<WordProblemsOptions, "clusters" | "maxOperand" | "maxResult"> = {},
): readonly Question[] {
  const weights = checkOptions({ clusters: { plain: 1 }, ...options, levels: PRETRAINING_LEVELS });
  return drawCells(
    "pretraining",
    "pretraining",
    cellsOf(weights, checkSize(`${WORD_PROBLEMS}: pretraining`, n)),
    { ...DEFAULT_LIMITS, ...pickDefined(options) },
    rng,
    "again",
  );
}

/** Questions of the cells from one region, in random order; a canonical form is used "once" or "again" (then only texts differ). */
function drawCells(
  split: string,
  region: Region,
  cells: readonly Cell[],
  limits: NumberLimits,
  rng: Rng,
  forms: "once" | "again",
): Question[] {
  return drawQuestions(
    cells.map(({ lines, cluster, count }) => ({
      name: `${levelName(lines)}, ${cluster}`,
      stream: `${lines} ${cluster}`,
      count,
      draw: (cellRng) => {
        const story = writeStory(samplePlan(lines, cluster, cellRng), limits, cellRng);
        if (story === undefined) return undefined;
        // The same key as `canonicalForm` of the text, without reading it back.
        return {
          form: programKey(storyProgram(story)),
          question: () => {
            const question = questionOf(story, "");
            return question !== undefined && fits(question) ? question : undefined;
          },
        };
      },
    })),
    {
      task: WORD_PROBLEMS,
      split,
      inRegion: (form) => regionOf(form) === region,
      forms,
      hint: "Ask for fewer, or allow larger numbers (maxOperand, maxResult)",
    },
    rng,
  );
}

interface Mixture {
  readonly levels: readonly number[];
  readonly clusters: readonly number[];
}

function cellsOf({ levels, clusters }: Mixture, total: number): Cell[] {
  const counts = apportion(
    levels.flatMap((level) => clusters.map((cluster) => level * cluster)),
    total,
  );
  return counts.map((count, i) => ({
    lines: Math.floor(i / clusters.length) + 1,
    cluster: CLUSTERS[i % clusters.length] ?? "plain",
    count,
  }));
}

function checkOptions(options: WordProblemsOptions): Mixture {
  const levels = checkWeights(`${WORD_PROBLEMS}: levels`, options.levels ?? DEFAULT_LEVELS, LEVELS);
  const clusters = checkWeights(`${WORD_PROBLEMS}: clusters`, options.clusters ?? DEFAULT_CLUSTERS, CLUSTERS);
  checkLimit("maxOperand", options.maxOperand, 12, 999);
  checkLimit("maxResult", options.maxResult, 60, 9999);
  return { levels, clusters };
}

function checkLimit(name: string, value: number | undefined, low: number, high: number): void {
  if (value !== undefined && (!Number.isInteger(value) || value < low || value > high))
    badInput(`${WORD_PROBLEMS}: ${name}`, `an integer from ${low} to ${high}`, String(value));
}

function pickDefined({
  maxOperand,
  maxResult,
}: Pick<WordProblemsOptions, "maxOperand" | "maxResult">): Partial<NumberLimits> {
  return { ...(maxOperand === undefined ? {} : { maxOperand }), ...(maxResult === undefined ? {} : { maxResult }) };
}
