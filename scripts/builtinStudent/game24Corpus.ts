/**
 * @file What the student of the Game of 24 is pretrained on. The 2,500 puzzles that no split and no
 * teacher can hold are too few to learn from alone: every solution of each is shown, of numbers up to
 * 24, and the smaller problems that a puzzle becomes after its first and its second step.
 */
import type { Rng } from "../../src/core/rng.ts";
import { MAX_CARD, levelOf, puzzleRegion, tellPuzzle } from "../../src/tasks/game24/puzzle.ts";
import { solutions } from "../../src/tasks/game24/solve.ts";
import { workedAnswer } from "../../src/tasks/game24/workedAnswer.ts";
import type { Question } from "../../src/tasks/types.ts";

/** Largest number of a puzzle of four. */
const MAX_OF_FOUR = 24;
/** Largest number left after a step. */
const MAX_LEFT = 100;
/** Of three numbers left, two were on the table from the start. */
const MAX_OF_THREE = 20;
/** How often a puzzle of cards comes for one of larger numbers: held-out puzzles are of cards. */
const CARD_WEIGHT = 4;

/** Sets of `size` numbers from 1 to `highest`, each ascending. */
function* ascending(size: number, highest: number, from = 1): Generator<number[]> {
  if (size === 0) return yield [];
  for (let first = from; first <= highest; first++)
    for (const rest of ascending(size - 1, highest, first)) yield [first, ...rest];
}

/** All rows, one a solution, in random order; puzzles of cards several times. Deterministic for one `rng`. */
export function game24Corpus(rng: Rng): Question[] {
  const rows: Omit<Question, "id">[] = [];
  const add = (numbers: readonly number[], times: number): void => {
    const found = solutions(numbers);
    for (const tree of found) {
      const row = {
        question: tellPuzzle(numbers),
        answer: workedAnswer(numbers, tree),
        level: levelOf(found) ?? "",
      };
      for (let i = 0; i < times; i++) rows.push(row);
    }
  };
  for (const numbers of ascending(4, MAX_OF_FOUR))
    if (puzzleRegion(numbers) === "pretraining") add(numbers, (numbers[3] ?? 0) <= MAX_CARD ? CARD_WEIGHT : 1);
  for (const pair of ascending(2, MAX_OF_THREE))
    for (let third = pair[1] ?? 1; third <= MAX_LEFT; third++) add([...pair, third], 1);
  for (const pair of ascending(2, MAX_LEFT)) add(pair, 2);
  return rng.shuffle(rows).map((row, i) => ({ ...row, id: `pretraining-${i + 1}` }));
}
