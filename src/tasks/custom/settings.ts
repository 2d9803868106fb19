/** @file What a user says about data of their own: files, columns, checker. Plain JSON, a part of the experiment. */

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
