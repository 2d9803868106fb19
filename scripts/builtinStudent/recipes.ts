/**
 * @file How the built-in student of each task is pretrained: on what, how long, how fast. The cards in
 * `public/students` say what came of it; where there is none, no good student has been made yet (EXPERIMENTS.md).
 */
import type { Rng } from "../../src/core/rng.ts";
import * as algebra from "../../src/tasks/algebra/algebra.ts";
import * as game24 from "../../src/tasks/game24/game24.ts";
import * as prontoqa from "../../src/tasks/prontoqa/prontoqa.ts";
import type { Question } from "../../src/tasks/types.ts";
import { WORD_PROBLEMS } from "../../src/tasks/wordProblems/wordProblems.ts";
import { game24Corpus } from "./game24Corpus.ts";
import { prontoqaCorpus } from "./prontoqaCorpus.ts";
import { prontoqaLookups } from "./prontoqaLookups.ts";
import { prontoqaVerdicts } from "./prontoqaVerdicts.ts";
import { PIECE_PATTERN } from "./trainTokenizer.ts";

/** One training with a cosine of its own, from the weights the stage before wrote. */
export interface TaskStage {
  readonly name: string;
  /** Questions trained on, none of which a split or the built-in teacher can hold. */
  readonly corpus: (rng: Rng) => readonly Question[];
  /** What the corpus is, for the card. */
  readonly about: string;
  readonly steps: number;
  readonly batchSize: number;
  readonly learningRate: number;
}

/** Pretraining of one task's student. */
export interface Recipe {
  /** The task whose built-in student the first stage starts from; random weights with an induction head where it is left out. */
  readonly from?: string;
  /** Texts of all levels, on which the tokenizer is trained. */
  readonly words: (rng: Rng) => readonly Question[];
  /** Of the tokenizer; fewer where the words give no more. */
  readonly vocabSize: number;
  /** What the tokenizer's merges never cross; words, digits and signs where it is left out. */
  readonly pieces?: string;
  readonly stages: readonly TaskStage[];
}

/** More texts add nothing to a tokenizer of so regular a language. */
const WORDS = 3000;

export const RECIPES: Readonly<Record<string, Recipe>> = {
  [algebra.ALGEBRA]: {
    from: WORD_PROBLEMS,
    words: (rng) => algebra.pretrainingSlice(rng, WORDS),
    vocabSize: 448,
    stages: [
      {
        name: "all levels",
        corpus: (rng) =>
          algebra.pretrainingSlice(rng, 20_000, { levels: { "level 1": 5, "level 2": 3, "level 3": 1 } }),
        about: "levels 1, 2 and 3 as 5 to 3 to 1",
        steps: 2500,
        batchSize: 32,
        learningRate: 2e-3,
      },
    ],
  },
  [prontoqa.PRONTOQA]: {
    words: (rng) => prontoqa.pretrainingSlice(rng, WORDS),
    vocabSize: 1024,
    // " is not sour" is one token: which of its rules a kind has is then read off the token behind it.
    pieces: ` (?:is|are)(?: not)?(?: an?)? \\p{L}+|${PIECE_PATTERN}`,
    stages: [
      {
        name: "verdicts",
        corpus: (rng) => prontoqaVerdicts(rng, 16_000),
        about: "a statement, what holds, and whether the statement is true then",
        steps: 300,
        batchSize: 128,
        learningRate: 1.5e-3,
      },
      {
        name: "lookups",
        corpus: (rng) => [
          ...prontoqaLookups(rng.fork("lookups"), 30_000, { rules: [3, 8], wordings: ["Each", "Every"], inOrder: 0.3 }),
          ...prontoqaVerdicts(rng.fork("verdicts"), 4000),
        ],
        about: "3 to 8 rules, then the same rules, in seven of ten rows in another order; an eighth verdicts",
        steps: 300,
        batchSize: 32,
        learningRate: 1.5e-3,
      },
      {
        name: "short proofs",
        corpus: (rng) => [
          ...prontoqaLookups(rng.fork("lookups"), 8_000, { rules: [3, 8], wordings: ["Each", "Every"], inOrder: 0 }),
          ...prontoqaVerdicts(rng.fork("verdicts"), 4000),
          ...prontoqaCorpus(rng.fork("few"), 24_000, { hops: [2, 1, 1], distractors: 0, taste: 0 }),
        ],
        about:
          "a third lookups and verdicts, the rest questions of 1, 2 and 3 rules as 2 to 1 to 1 with little to distract, without plurals",
        steps: 500,
        batchSize: 32,
        learningRate: 1.5e-3,
      },
      {
        name: "as the task has it",
        corpus: (rng) => [
          ...prontoqaCorpus(rng.fork("proofs"), 24_000, { hops: [3, 3, 2], taste: 0.5 }),
          ...prontoqaVerdicts(rng.fork("verdicts"), 2000),
        ],
        about:
          "questions of 1, 2 and 3 rules as 3 to 3 to 2 with 1 to 3 further distractors, every other one told with plurals; a thirteenth verdicts",
        steps: 1300,
        batchSize: 32,
        learningRate: 1.5e-3,
      },
      {
        name: "once more",
        corpus: (rng) => [
          ...prontoqaCorpus(rng.fork("proofs"), 30_000, { hops: [4, 3, 2], taste: 0.5 }),
          ...prontoqaVerdicts(rng.fork("verdicts"), 2000),
        ],
        about: "the same as 4 to 3 to 2; a sixteenth verdicts",
        steps: 1400,
        batchSize: 32,
        learningRate: 1.5e-3,
      },
    ],
  },
  [game24.GAME_24]: {
    from: algebra.ALGEBRA,
    words: (rng) => game24.pretrainingSlice(rng, 2400),
    vocabSize: 384,
    stages: [
      {
        name: "puzzles",
        corpus: game24Corpus,
        about:
          "all solutions of the puzzles with numbers up to 24 that no split and no teacher can hold, puzzles of cards four times, and the smaller problems that they turn into",
        steps: 2500,
        batchSize: 32,
        learningRate: 2e-3,
      },
      {
        name: "puzzles again",
        corpus: game24Corpus,
        about: "the same puzzles and smaller problems, in another order",
        steps: 3000,
        batchSize: 32,
        learningRate: 2e-3,
      },
    ],
  },
};
