/** @file What a user says about data of their own (files, columns, checker; a part of the experiment), and what an inspection tells of them. Plain JSON. */
import type { SplitSizes } from "../types.ts";

/** How final answers are found in a text and compared; what each does is in `checkers.ts`. */
export const CHECKER_NAMES = ["exact", "numeric", "####", "boxed", "choice", "regex", "game24"] as const;
export type CheckerName = (typeof CHECKER_NAMES)[number];

/** Which columns (fields) of a row make a question. Several are joined, one a line. */
export interface ColumnMapping {
  readonly question: readonly string[];
  /** The last one holds the final answer, those before it its working. Empty where the checker needs none. */
  readonly answer: readonly string[];
  /** A list of choices, or a text of them; shown below the question. */
  readonly options?: string;
  readonly level?: string;
}

export interface CustomSettings {
  /** Found from the column names by default. */
  readonly columns?: ColumnMapping;
  /** Found from the answers by default. */
  readonly checker?: CheckerName;
  /** Regular expression (RE2 syntax) of the checker "regex". */
  readonly pattern?: string;
  /** Seed of the division into splits; the run's own seed never moves a question from one to another. */
  readonly splitSeed?: number;
}

/** `CustomSettings` with everything found that was not said. */
export interface ResolvedSettings {
  readonly columns: ColumnMapping;
  readonly checker: CheckerName;
  readonly pattern?: string;
  readonly splitSeed: number;
}

/** Something wrong with one row, in words. */
export interface RowProblem {
  /** "data.csv: row 3". */
  readonly at: string;
  readonly message: string;
}

/** One row as the checker reads it. */
export interface GoldCheck {
  readonly at: string;
  readonly question: string;
  /** The worked answer that a student is trained on. */
  readonly answer: string;
  /** Its final answer. */
  readonly final: string;
  /** Whether the checker accepts the answer as an answer to its own question. */
  readonly accepted: boolean;
}

export interface DataInspection {
  readonly columns: readonly string[];
  /** Of all files. */
  readonly rows: number;
  /** The first rows of the pool's file, cells as text, as they stand in the file. */
  readonly preview: readonly { readonly at: string; readonly cells: Readonly<Record<string, string>> }[];
  /** Columns, said or found; undefined where they have to be said. */
  readonly mapping?: ColumnMapping;
  /** Columns and checker, said or found; undefined where one of them has to be said, or cannot be what was said: `problem` says which. */
  readonly settings?: ResolvedSettings;
  /** Why the files make no task, apart from wrong rows. */
  readonly problem?: string;
  /** The first wrong rows; `wrongRows` counts them all. */
  readonly rowProblems: readonly RowProblem[];
  readonly wrongRows: number;
  readonly golds: readonly GoldCheck[];
  /** Different questions for each split; undefined while something is wrong. */
  readonly available?: SplitSizes;
}
