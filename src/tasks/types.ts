/** @file A task: questions that can be generated, solved exactly and checked. Pure data and functions. */
import type { Rng } from "../core/rng.ts";

/** One question with its worked answer. `program` is the task's own solvable form (plain JSON), absent for questions of unknown origin. */
export interface Question {
  readonly id: string;
  readonly question: string;
  /** Worked step by step, ending in the task's final-answer form (`#### 42`). */
  readonly answer: string;
  /** Difficulty label, e.g. "2 steps". */
  readonly level: string;
  readonly program?: unknown;
}

/** Verdict on a completion. `expected` and `got` are final answers as text; `got` is undefined when none was found. */
export interface Verdict {
  readonly correct: boolean;
  readonly expected: string;
  readonly got: string | undefined;
  /** One sentence for people. */
  readonly reason: string;
}

export interface Splits {
  readonly pool: readonly Question[];
  readonly validation: readonly Question[];
  readonly test: readonly Question[];
}

export interface SplitSizes {
  readonly pool: number;
  readonly validation: number;
  readonly test: number;
}

export interface Task {
  readonly name: string;
  readonly levels: readonly string[];
  /** Text before the question's completion: what the student sees. */
  prompt(question: string): string;
  /** The completion a student is trained to give. */
  completion(question: Pick<Question, "answer">): string;
  /** Key under which two questions count as the same; splits and teachers never share one. */
  canonical(question: string): string;
  /** Seeded, disjoint (by canonical form) splits. */
  splits(sizes: SplitSizes, rng: Rng): Splits;
  /** Judges a completion against the worked answer. Exact; never throws on any text. */
  check(question: Pick<Question, "question" | "answer">, completion: string): Verdict;
  /** Checks a teacher's pair without trusting it: solves `question` itself where it can, and checks every step of `answer`. */
  verify(pair: { readonly question: string; readonly answer: string }): Verdict;
}
