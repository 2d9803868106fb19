/**
 * @file The task "game24": make 24 from four numbers, each used once, with + − × ÷.
 *
 *     Make 24 from 4 9 10 13.
 *     10 + 9 = 19 (left: 4 13 19)
 *     19 - 13 = 6 (left: 4 6)
 *     6 * 4 = 24 (left: 24)
 *     Answer: ((10 + 9) - 13) * 4 = 24
 *
 * Pool, validation and test are made of the 1,362 solvable puzzles of cards from 1 to 13
 * (the set of Tree of Thoughts, arXiv 2305.10601). Level: how many solutions there are.
 */
import { badInput } from "../../core/errors.ts";
import type { Rng } from "../../core/rng.ts";
import { drawQuestions, withIds } from "../drawQuestions.ts";
import { apportion } from "../splits.ts";
import type { Region } from "../splits.ts";
import { checkSize, checkWeights, drawSplits } from "../taskOptions.ts";
import type { Question, Task } from "../types.ts";
import { AUTHOR, tagsOf } from "./author.ts";
import {
  CLUSTERS,
  LEVELS,
  MAX_NUMBER,
  allPuzzles,
  canonicalForm,
  levelOf,
  puzzleKey,
  puzzleRegion,
  tellPuzzle,
} from "./puzzle.ts";
import type { Cluster, Level, Numbers } from "./puzzle.ts";
import { solutions } from "./solve.ts";
import type { Tree } from "./solve.ts";
import { checkExpression, verifyPair, workedAnswer } from "./workedAnswer.ts";

export const GAME_24 = "game24";

export interface Game24Options {
  /** Relative weights by level; each as it comes among the puzzles of a split by default. */
  readonly levels?: Readonly<Partial<Record<Level, number>>>;
  /** By how the numbers are told: "plain", the default, or "in brackets", which the built-in student has never seen. */
  readonly clusters?: Readonly<Partial<Record<Cluster, number>>>;
}

interface Mixture {
  readonly levels: readonly number[] | undefined;
  readonly clusters: readonly number[];
}

/**
 * The task with the given mixture of levels and clusters.
 * @throws BadInputError for unknown levels or clusters, or weights below 0 or all 0; its splits throw for sizes over what
 * there is (470 pool, 200 validation, 300 test puzzles; fewer of one level).
 */
export function game24Task(options: Game24Options = {}): Task {
  const { levels, clusters = { plain: 1 } } = options;
  const weights = {
    levels: levels === undefined ? undefined : checkWeights(`${GAME_24}: levels`, levels, LEVELS),
    clusters: checkWeights(`${GAME_24}: clusters`, clusters, CLUSTERS),
  };
  return {
    name: GAME_24,
    levels: LEVELS,
    author: AUTHOR,
    prompt: (question) => `${question}\n`,
    completion: (question) => question.answer,
    canonical: canonicalForm,
    splits: (sizes, rng) => drawSplits(GAME_24, sizes, (split, size) => drawSplit(split, size, weights, rng)),
    check: checkExpression,
    verify: verifyPair,
  };
}

function drawSplit(split: Region, size: number, { levels, clusters }: Mixture, rng: Rng): Question[] {
  const own = rng.fork(split).shuffle(allPuzzles().filter((puzzle) => puzzle.region === split));
  const groups =
    levels === undefined
      ? [{ name: "puzzles", count: size, among: own }]
      : apportion(levels, size).map((count, i) => ({
          name: `puzzles of level "${LEVELS[i]}"`,
          count,
          among: own.filter((puzzle) => puzzle.level === LEVELS[i]),
        }));
  const drawn = groups.flatMap(({ name, count, among }) =>
    count <= among.length
      ? among.slice(0, count)
      : badInput(
          `${GAME_24}: ${split}`,
          `at most ${among.length} ${name}, all that this split can hold of the ${allPuzzles().length.toLocaleString("en")} there are`,
          String(count),
          `Lower the size of the ${split} split`,
        ),
  );
  const [, count = 0] = apportion(clusters, size);
  const bracketed = new Set(rng.fork(`${split} clusters`).shuffle(drawn).slice(0, count));
  return withIds(
    rng
      .fork(`${split} order`)
      .shuffle(drawn)
      .map((puzzle) =>
        questionOf(puzzle.numbers, puzzle.solutions, puzzle.level, bracketed.has(puzzle) ? "in brackets" : "plain"),
      ),
    split,
  );
}

function questionOf(
  numbers: Numbers,
  found: readonly Tree[],
  level: Level,
  cluster: Cluster = "plain",
): Omit<Question, "id"> {
  const [best] = found;
  return {
    question: tellPuzzle(numbers, cluster),
    answer: best === undefined ? "" : workedAnswer(numbers, best),
    level,
    tags: tagsOf(found, cluster),
    program: { numbers },
  };
}

/**
 * `n` puzzles with numbers up to 20 to pretrain a student on, disjoint from every split and from
 * what the built-in teacher writes.
 * @throws BadInputError when there are fewer (about 2,500).
 */
export function pretrainingSlice(rng: Rng, n: number): readonly Question[] {
  const cell = {
    name: `puzzles of numbers up to ${MAX_NUMBER}`,
    stream: "numbers",
    count: checkSize(`${GAME_24}: pretraining`, n),
    draw: (own: Rng) => {
      const numbers = Array.from({ length: 4 }, () => own.integer(1, MAX_NUMBER)).sort((a, b) => a - b);
      const found = solutions(numbers);
      const level = levelOf(found);
      return level === undefined
        ? undefined
        : { form: puzzleKey(numbers), question: () => questionOf(numbers, found, level) };
    },
  };
  return drawQuestions(
    [cell],
    {
      task: GAME_24,
      split: "pretraining",
      inRegion: (form) => puzzleRegion((form.match(/[0-9]+/g) ?? []).slice(1).map(Number)) === "pretraining",
      forms: "once",
      hint: "Ask for fewer",
    },
    rng,
  );
}
