/** @file `npm run schemas`: the published JSON Schemas, written from the schemas that the program itself checks with. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { toJsonSchema } from "@valibot/to-json-schema";
import type { GenericSchema } from "valibot";
import { experimentSchema } from "../src/loop/experimentSchema.ts";
import { studyParts, studySchema } from "../src/loop/study/studySchema.ts";
import { reportSchema } from "../src/study/reportSchema.ts";

const DRAFT = "draft-2020-12";

/** Title, what the files are, and the schema that reads them, by file name in `public/`. */
const SCHEMAS: Readonly<Record<string, readonly [string, string, GenericSchema]>> = {
  "experiment.schema.json": [
    "Tutelage experiment",
    "One closed loop: tutelage loop FILE. Everything may be left out.",
    experimentSchema,
  ],
  "study.schema.json": [
    "Tutelage study",
    "A grid of closed loops: tutelage study FILE. Tasks × strategies × seeds × options; later layers win: experiment, task, option, strategy.",
    studySchema,
  ],
  "report.schema.json": [
    "Tutelage study report",
    "report.json of a study: curves, prices, wins, tests and diagnostics of its runs. Shares are 0…1, times in seconds.",
    reportSchema,
  ],
};

/** The text of every published schema, by file name. */
export function publishedSchemas(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(SCHEMAS).map(([name, [title, description, schema]]) => {
      // What a JSON Schema cannot say (sums of several fields) is left to the program.
      const { $schema, ...rest } = toJsonSchema(schema, {
        typeMode: "input",
        errorMode: "ignore",
        target: DRAFT,
        // Said once: most settings stand in several places of a study.
        definitions: schema === studySchema ? { ...experimentSchema.entries, ...studyParts } : {},
      });
      return [name, `${JSON.stringify({ $schema, title, description, ...rest }, null, 2)}\n`];
    }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(publishedSchemas()))
    writeFileSync(fileURLToPath(new URL(`../public/${name}`, import.meta.url)), text);
}
