/** @file A task: questions that can be generated, solved exactly and checked. Pure data and functions. */
import type { Rng } from "../core/rng.ts";
import type { Operation } from "../teacher/types.ts";

/** One question with its worked answer. `program` is the task's own solvable form (plain JSON), absent for questions of unknown origin. */
export interface Question {
  readonly id: string;
  readonly question: string;
  /** Worked step by step, ending in the task's final-answer form (`#### 42`). */
  readonly answer: string;
  /** Difficulty label, e.g. "2 steps". */
  readonly level: string;
  /** Further labels to break results down by, e.g. `{ cluster: "passive" }`. */
  readonly tags?: Readonly<Record<string, string>>;
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

/**
 * The writer and solver inside a task, from which the built-in teacher is made. It
 * works from texts alone; undefined where it cannot read one.
 */
export interface Author {
  /** A new question like `question`, never the same by canonical form and never one that a validation or test split can hold. */
  write(question: string, operation: Operation, rng: Rng): Pick<Question, "question" | "level" | "tags"> | undefined;
  /** A worked answer. `careless` also answers a flawed question, as one would who does not notice the flaw. */
  solve(question: string, options?: { readonly careless?: boolean }): string | undefined;
  /** The question with a planted flaw: a text that `verify` rejects with any answer. */
  spoilQuestion(question: string, rng: Rng): string;
  /** The worked answer with a planted error: one that `verify` rejects. */
  spoilAnswer(question: string, answer: string, rng: Rng): string;
}

export interface Task {
  readonly name: string;
  /** Absent for tasks that have no solver of their own. */
  readonly author?: Author;
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

/** A row of a table of unknown origin. */
export interface DataRow {
  /** Where it stands, for messages: "data.csv: row 3", "data.jsonl:3". */
  readonly at: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** A data file as rows. */
export interface DataTable {
  readonly name: string;
  /** Every column that some row has, in order of appearance. */
  readonly columns: readonly string[];
  readonly rows: readonly DataRow[];
}
