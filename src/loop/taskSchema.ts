/** @file The schemas of a mixture and of data of the user's own, parts of the experiment's. */
import * as v from "valibot";
import { CHECKER_NAMES } from "../tasks/custom/settings.ts";
import { choice, group, MAX_SEED, real, text, whole } from "./schemaParts.ts";

const COLUMNS = "a column name or a list of them";
const columns = v.pipe(
  v.union([text, v.array(text, COLUMNS)], COLUMNS),
  v.transform((names) => (typeof names === "string" ? [names] : names)),
);

/** Settings of data files, as `TaskData` has them. */
export const taskData = group({
  pool: text,
  validation: v.exactOptional(text),
  test: v.exactOptional(text),
  columns: v.exactOptional(
    group({
      question: columns,
      answer: v.optional(columns, []),
      options: v.exactOptional(text),
      level: v.exactOptional(text),
    }),
  ),
  checker: v.exactOptional(choice(CHECKER_NAMES)),
  pattern: v.exactOptional(text),
  splitSeed: v.exactOptional(whole(0, MAX_SEED)),
  digest: v.exactOptional(text),
});

const weights = v.record(text, real(0, 1e6), "weights by name");

/** Weights of levels and wordings; which names there are depends on the task, which checks them. */
export const taskMixture = group({ levels: v.exactOptional(weights), clusters: v.exactOptional(weights) });
