/** @file The writer and solver of algebra questions from which the built-in teacher is made. */
import type { Rng } from "../../core/rng.ts";
import type { Operation } from "../../teacher/types.ts";
import { regionOf } from "../splits.ts";
import type { Author } from "../types.ts";
import { LARGE, NORMAL, SMALL, drawExercise } from "./drawExercise.ts";
import type { Difficulty, Family, Sizes } from "./family.ts";
import { FAMILIES, exerciseKey, questionOf, readExercise, tellExercise, verifyPair, workedAnswer } from "./question.ts";

const ATTEMPTS = 400;

/**
 * An author that keeps to the pool's region and to the seed's way to tell an exercise.
 * - vary: the same family and level with other numbers. - simplify: a family of the level below,
 *   of the same topic where there is one; smaller numbers at level 1. - complicate, addStep: a family of the
 *   level above likewise; larger numbers at level 3. - rarer: another family of the same level, of
 *   another topic where there is one.
 */
export const AUTHOR: Author = {
  write(text, operation, rng) {
    const seed = readExercise(text);
    if (seed === undefined || questionOf(seed) === undefined) return undefined;
    const plan = planFor(seed.family, seed.family.level(seed.filled.numbers), operation);
    const seedKey = exerciseKey(seed);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const family = rng.pick(plan.families);
      const sizes = attempt < ATTEMPTS / 2 ? plan.sizes : LARGE;
      const exercise = drawExercise(family, plan.level, sizes, rng, seed.cluster);
      const question = exercise === undefined ? undefined : questionOf(exercise);
      if (exercise === undefined || question === undefined) continue;
      const key = exerciseKey(exercise);
      if (key === seedKey || regionOf(key) !== "pool") continue;
      return {
        question: question.question,
        level: question.level,
        ...(question.tags === undefined ? {} : { tags: question.tags }),
      };
    }
    return undefined;
  },

  solve(text, options = {}) {
    const exercise = readExercise(text);
    const work = exercise?.family.work(exercise.filled);
    if (work !== undefined) return workedAnswer(work);
    // One who does not notice that there is no answer puts down a number of the question.
    return exercise !== undefined && options.careless === true
      ? `\\boxed{${Object.values(exercise.filled.numbers)[0] ?? 0}}`
      : undefined;
  },

  spoilQuestion(text, rng) {
    const exercise = readExercise(text);
    const impossible = exercise === undefined ? [] : impossibleVersions(exercise, rng);
    if (impossible.length > 0 && rng.uniform() < 0.75) return rng.pick(impossible);
    const words = text.trim().split(" ");
    return words.slice(0, -Math.min(words.length - 1, 2)).join(" ");
  },

  spoilAnswer(question, answer, rng) {
    const candidates = rng.shuffle([
      () => wrongNumber(answer, true, rng),
      () => wrongNumber(answer, false, rng),
      () => wrongNumber(answer, false, rng),
      () => wrongSign(answer, rng),
    ]);
    for (const spoil of candidates) {
      const spoiled = spoil();
      if (spoiled !== answer && !verifyPair({ question, answer: spoiled }).correct) return spoiled;
    }
    return answer.split("\n").slice(0, -1).join("\n");
  },
};

interface WritePlan {
  readonly families: readonly Family[];
  readonly level: Difficulty;
  readonly sizes: Sizes;
}

function planFor(family: Family, level: Difficulty, operation: Operation): WritePlan {
  if (operation === "rarer") return { families: rarerFamilies(family, level), level, sizes: NORMAL };
  const other = level + (operation === "simplify" ? -1 : operation === "complicate" || operation === "addStep" ? 1 : 0);
  if (operation === "vary" || other < 1 || other > 3)
    return { families: [family], level, sizes: other < 1 ? SMALL : other > 3 ? LARGE : NORMAL };
  const next = other as Difficulty;
  const fitting = FAMILIES.filter((one) => one.levels.includes(next));
  const related = fitting.filter((one) => one.topic === family.topic);
  return { families: related.length > 0 ? related : fitting, level: next, sizes: NORMAL };
}

function rarerFamilies(family: Family, level: Difficulty): readonly Family[] {
  const others = FAMILIES.filter((one) => one !== family && one.levels.includes(level));
  const unlike = others.filter((one) => one.topic !== family.topic);
  return unlike.length > 0 ? unlike : others.length > 0 ? others : [family];
}

/** Versions with one number changed that have no answer of the kind that is asked for. */
function impossibleVersions(exercise: NonNullable<ReturnType<typeof readExercise>>, rng: Rng): string[] {
  const { family, filled } = exercise;
  return Object.keys(filled.numbers).flatMap((name) => {
    const numbers = { ...filled.numbers, [name]: rng.integer(2, 30) };
    const text = tellExercise({ ...exercise, filled: { ...filled, numbers } });
    const read = readExercise(text);
    return family.work({ ...filled, numbers }) === undefined && read !== undefined && questionOf(read) === undefined
      ? [text]
      : [];
  });
}

/** The number in the box, or one behind an equals sign, changed a little. */
function wrongNumber(answer: string, inBox: boolean, rng: Rng): string {
  const pattern = inBox ? /(?<=\\boxed\{-?)[0-9]+/g : /(?<== -?)[0-9]+/g;
  const spots = [...answer.matchAll(pattern)];
  if (spots.length === 0) return answer;
  const spot = rng.pick(spots);
  const wrong = Math.abs(Number(spot[0]) + rng.pick([-10, -2, -1, 1, 2, 10]));
  return answer.slice(0, spot.index) + String(wrong) + answer.slice(spot.index + spot[0].length);
}

/** A plus for a minus, or the other way, in a line of the working. */
function wrongSign(answer: string, rng: Rng): string {
  const spots = [...answer.matchAll(/ [-+] /g)].map((match) => match.index + 1);
  if (spots.length === 0) return answer;
  const spot = rng.pick(spots);
  return answer.slice(0, spot) + (answer.charAt(spot) === "+" ? "-" : "+") + answer.slice(spot + 1);
}
