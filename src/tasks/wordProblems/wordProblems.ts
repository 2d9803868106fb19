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
import { checkFinalAnswer } from "../finalAnswer.ts";
import { apportion, regionOf } from "../splits.ts";
import type { Region } from "../splits.ts";
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
/** Draws in a row that bring nothing new before a cell counts as used up. */
const MAX_IDLE_DRAWS = 2000;

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
      const draw = (split: "pool" | "validation" | "test") =>
        drawQuestions(split, split, cellsOf(weights, checkSize(split, sizes[split])), limits, rng, "once");
      return { pool: draw("pool"), validation: draw("validation"), test: draw("test") };
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
  return drawQuestions(
    "pretraining",
    "pretraining",
    cellsOf(weights, checkSize("pretraining", n)),
    { ...DEFAULT_LIMITS, ...pickDefined(options) },
    rng,
    "again",
  );
}

/** Questions of the cells from one region, in random order; a canonical form is used "once" or "again" (then only texts differ). */
function drawQuestions(
  name: string,
  region: Region,
  cells: readonly Cell[],
  limits: NumberLimits,
  rng: Rng,
  programs: "once" | "again",
): Question[] {
  const seen = new Set<string>();
  const drawn: Question[] = [];
  for (const { lines, cluster, count } of cells) {
    // One stream a cell: changing one share leaves the questions of the others as they were.
    const cellRng = rng.fork(`${name} ${lines} ${cluster}`);
    let idle = 0;
    for (let have = 0; have < count;) {
      const story = writeStory(samplePlan(lines, cluster, cellRng), limits, cellRng);
      // The same key as `canonicalForm` of the text, without reading it back.
      const form = story === undefined ? undefined : programKey(storyProgram(story));
      const question =
        story === undefined || form === undefined || regionOf(form) !== region ? undefined : questionOf(story, "");
      const key = programs === "once" ? form : question?.question;
      if (question !== undefined && key !== undefined && fits(question) && !seen.has(key)) {
        seen.add(key);
        drawn.push(question);
        have++;
        idle = 0;
      } else if (++idle > MAX_IDLE_DRAWS) {
        badInput(
          `${WORD_PROBLEMS}: ${name}`,
          `${count} different questions of ${levelName(lines)}, ${cluster}`,
          `${have}`,
          "Ask for fewer, or allow larger numbers (maxOperand, maxResult)",
        );
      }
    }
  }
  return rng
    .fork(`${name} order`)
    .shuffle(drawn)
    .map((question, i) => ({ ...question, id: `${name}-${i + 1}` }));
}

interface Weights {
  readonly levels: readonly number[];
  readonly clusters: readonly number[];
}

function cellsOf({ levels, clusters }: Weights, total: number): Cell[] {
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

function checkOptions(options: WordProblemsOptions): Weights {
  const levels: Readonly<Record<string, number>> = options.levels ?? DEFAULT_LEVELS;
  const clusters: Readonly<Record<string, number | undefined>> = options.clusters ?? DEFAULT_CLUSTERS;
  checkWeights("levels", levels, LEVELS);
  checkWeights("clusters", clusters, CLUSTERS);
  checkLimit("maxOperand", options.maxOperand, 12, 999);
  checkLimit("maxResult", options.maxResult, 60, 9999);
  return { levels: LEVELS.map((name) => levels[name] ?? 0), clusters: CLUSTERS.map((name) => clusters[name] ?? 0) };
}

function checkWeights(
  what: string,
  weights: Readonly<Record<string, number | undefined>>,
  known: readonly string[],
): void {
  for (const [name, weight] of Object.entries(weights)) {
    if (!known.includes(name))
      badInput(`${WORD_PROBLEMS}: ${what}`, `names among ${known.join(", ")}`, JSON.stringify(name));
    if (weight !== undefined && !(Number.isFinite(weight) && weight >= 0))
      badInput(`${WORD_PROBLEMS}: ${what}`, `a weight >= 0 for "${name}"`, String(weight));
  }
  if (!Object.values(weights).some((weight) => (weight ?? 0) > 0))
    badInput(`${WORD_PROBLEMS}: ${what}`, "at least one weight above 0", JSON.stringify(weights));
}

function checkLimit(name: string, value: number | undefined, low: number, high: number): void {
  if (value !== undefined && (!Number.isInteger(value) || value < low || value > high))
    badInput(`${WORD_PROBLEMS}: ${name}`, `an integer from ${low} to ${high}`, String(value));
}

function checkSize(split: string, size: number): number {
  if (!Number.isInteger(size) || size < 0)
    badInput(`${WORD_PROBLEMS}: ${split}`, "a number of questions >= 0", String(size));
  return size;
}

function pickDefined({
  maxOperand,
  maxResult,
}: Pick<WordProblemsOptions, "maxOperand" | "maxResult">): Partial<NumberLimits> {
  return { ...(maxOperand === undefined ? {} : { maxOperand }), ...(maxResult === undefined ? {} : { maxResult }) };
}
