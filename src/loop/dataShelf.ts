/**
 * @file Data files of the user's own on the loop's side of the boundary: kept by their
 * content, looked over, made into a task's options. A run names them by that content's
 * hash, so that it resumes with exactly what it began with. Not here: where they are kept.
 */
import { badInput } from "../core/errors.ts";
import { parseTable } from "../formats/table.ts";
import type { CustomOptions } from "../tasks/custom/custom.ts";
import { inspectData } from "../tasks/custom/inspect.ts";
import type { CustomSettings, DataInspection } from "../tasks/custom/settings.ts";
import type { DataTable } from "../tasks/types.ts";
import type { TaskData } from "./config.ts";
import type { DataFiles, DataStore } from "./runStore.ts";

/** The part of a shelf that the service needs. */
export interface DataShelf {
  /** Keeps files; returns the hash they are found by. @throws BadInputError for files that are no tables. */
  add(files: DataFiles): Promise<string>;
  inspect(digest: string, settings: CustomSettings): Promise<DataInspection>;
  /** The options of the task over kept files. @throws BadInputError for files that are not there. */
  options(data: TaskData): Promise<CustomOptions>;
  delete(digest: string): Promise<void>;
  /** The kept files themselves; undefined where there are none. */
  read(digest: string): Promise<DataFiles | undefined>;
  /** Keeps files that came from elsewhere; false where they are here already. @throws BadInputError for files whose hash is another. */
  keep(digest: string, files: DataFiles): Promise<boolean>;
}

type Tables = CustomOptions["tables"];

/** A shelf over `store`; `sha256` gives the hash of a text as lower-case hex. */
export function createDataShelf(store: DataStore, sha256: (text: string) => string): DataShelf {
  // Of the files last used: a mapping is tried out column by column.
  let parsed: { readonly digest: string; readonly tables: Tables } | undefined;
  const tablesOf = async (digest: string, name: string): Promise<Tables> => {
    if (parsed?.digest === digest) return parsed.tables;
    const files = await store.get(digest);
    if (files === undefined)
      return badInput(
        "task.data",
        `the file ${JSON.stringify(name)} (SHA-256 ${digest.slice(0, 12)}…)`,
        "none in this browser",
        "Choose the file again: its content is compared",
      );
    parsed = { digest, tables: parseFiles(files) };
    return parsed.tables;
  };
  return {
    async add(files) {
      const tables = parseFiles(files);
      const digest = digestOf(files, sha256);
      await store.put(digest, files);
      parsed = { digest, tables };
      return digest;
    },
    inspect: async (digest, settings) => inspectData(await tablesOf(digest, "data"), settings),
    async options({ digest, pool, validation: _, test: __, ...settings }) {
      if (digest === undefined) badInput("task.data.digest", "the hash of files that were added", "none");
      return { ...settings, tables: await tablesOf(digest, pool) };
    },
    async delete(digest) {
      if (parsed?.digest === digest) parsed = undefined;
      await store.delete(digest);
    },
    read: (digest) => store.get(digest),
    async keep(digest, files) {
      const found = digestOf(files, sha256);
      if (found !== digest)
        badInput(
          `data file ${JSON.stringify(files.pool.name)}`,
          `the content with SHA-256 ${digest.slice(0, 12)}…`,
          `${found.slice(0, 12)}…`,
          "The file was changed or damaged",
        );
      if ((await store.get(digest)) !== undefined) return false;
      parseFiles(files);
      await store.put(digest, files);
      return true;
    },
  };
}

/** The hash of files by what is in them, as the command line writes it: `SHA-256(length " " text, file by file)`. */
function digestOf(files: DataFiles, sha256: (text: string) => string): string {
  return sha256(
    filesOf(files)
      .map(({ text }) => `${text.length} ${text}`)
      .join(""),
  );
}

/** The files in the order of the hash. */
export function filesOf({
  pool,
  validation,
  test,
}: DataFiles): readonly { readonly name: string; readonly text: string }[] {
  return [pool, validation, test].filter((file) => file !== undefined);
}

function parseFiles({ pool, validation, test }: DataFiles): Tables {
  const tableOf = ({ name, text }: DataFiles["pool"]): DataTable => parseTable(text, name);
  return {
    pool: tableOf(pool),
    ...(validation === undefined ? {} : { validation: tableOf(validation) }),
    ...(test === undefined ? {} : { test: tableOf(test) }),
  };
}
