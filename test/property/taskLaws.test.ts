/** @file Laws that hold for every generated task. */
import { regionOf } from "../../src/tasks/splits.ts";
import * as algebra from "../../src/tasks/algebra/algebra.ts";
import * as game24 from "../../src/tasks/game24/game24.ts";
import { puzzleRegion } from "../../src/tasks/game24/puzzle.ts";
import * as prontoqa from "../../src/tasks/prontoqa/prontoqa.ts";
import * as wordProblems from "../../src/tasks/wordProblems/wordProblems.ts";
import { wrongAlgebra } from "../support/algebraReferee.ts";
import { wrongAnswer24 } from "../support/game24Referee.ts";
import { wrongProof } from "../support/ontologyReferee.ts";
import { describeTaskLaws } from "../support/taskLaws.ts";
import { refereeAnswer, wrongLine } from "../support/wordProblemReferee.ts";

const numbersOf = (text: string): number[] => text.match(/\d+/g)!.slice(-4).map(Number);

describeTaskLaws("game24", {
  task: game24.game24Task(),
  pretraining: game24.pretrainingSlice,
  sizes: { pool: 150, validation: 150, test: 200 },
  pretrainingSize: 400,
  teachable: (form) => puzzleRegion(numbersOf(form)) === "pool",
  referee: (question, answer) => wrongAnswer24(numbersOf(question), answer),
});

describeTaskLaws("game24 told in brackets", {
  task: game24.game24Task({ clusters: { "in brackets": 1 } }),
  pretraining: game24.pretrainingSlice,
  sizes: { pool: 150, validation: 150, test: 200 },
  pretrainingSize: 400,
  teachable: (form) => puzzleRegion(numbersOf(form)) === "pool",
  referee: (question, answer) => wrongAnswer24(numbersOf(question), answer),
});

describeTaskLaws("prontoqa", {
  task: prontoqa.prontoqaTask(),
  pretraining: prontoqa.pretrainingSlice,
  sizes: { pool: 200, validation: 150, test: 200 },
  pretrainingSize: 1000,
  teachable: (form) => regionOf(form) === "pool",
  referee: wrongProof,
});

describeTaskLaws("prontoqa told with articles", {
  task: prontoqa.prontoqaTask({ clusters: { article: 1 } }),
  pretraining: prontoqa.pretrainingSlice,
  sizes: { pool: 200, validation: 150, test: 200 },
  pretrainingSize: 1000,
  teachable: (form) => regionOf(form) === "pool",
  referee: wrongProof,
});

describeTaskLaws("algebra", {
  task: algebra.algebraTask(),
  pretraining: algebra.pretrainingSlice,
  sizes: { pool: 200, validation: 150, test: 200 },
  pretrainingSize: 1000,
  teachable: (form) => regionOf(form) === "pool",
  referee: wrongAlgebra,
});

describeTaskLaws("algebra in words", {
  task: algebra.algebraTask({ clusters: { "in words": 1 } }),
  pretraining: algebra.pretrainingSlice,
  sizes: { pool: 200, validation: 150, test: 200 },
  pretrainingSize: 1000,
  teachable: (form) => regionOf(form) === "pool",
  referee: wrongAlgebra,
});

describeTaskLaws("word problems", {
  task: wordProblems.wordProblemsTask(),
  pretraining: wordProblems.pretrainingSlice,
  sizes: { pool: 100, validation: 100, test: 100 },
  pretrainingSize: 300,
  teachable: (form) => regionOf(form) === "pool",
  referee: (question, answer) =>
    wrongLine(answer) ?? (answer.endsWith(`#### ${refereeAnswer(question)}`) ? undefined : "another answer"),
});
