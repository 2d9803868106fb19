/**
 * @file Stored runs as one file, and back: a zip archive with a folder per run, laid out as
 * the terminal's run folders are, so that an unpacked one can be resumed there, and the data
 * files of the user's own that they name. What comes in is untrusted: sizes are bounded before anything is unpacked, and everything is parsed.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import type { Zippable } from "fflate";
import * as v from "valibot";
import { badInput, messageOf } from "../core/errors.ts";
import type { Checkpoint, DataFile, DataFiles, RunBundle, RunEntry, StoredRun } from "../loop/runStore.ts";
import { parseCheckpointHeader, parseEntry, parseManifest } from "./parseStored.ts";
import { entriesOf, storedRunOf } from "./storedRun.ts";

/** What an archive may hold at most. */
export const ARCHIVE_LIMITS = {
  bytes: 2 ** 30,
  unpackedBytes: 2 ** 30,
  /** Of all texts, which are parsed in memory. */
  textBytes: 2 ** 28,
  /** Of one data file of the user's own. */
  dataBytes: 2 ** 26,
  files: 200,
  runs: 16,
  labelCharacters: 200,
  nameCharacters: 1000,
} as const;

const INDEX = "tutelage.json";
const LINE_FILES = ["rounds.jsonl", "examples.jsonl", "journal.jsonl"] as const;
const LATEST = "checkpoints/latest.json";
const RUN_ID = /^[\w-]{1,64}$/;
const SPLITS = ["pool", "validation", "test"] as const;

const dataFile = v.looseObject({
  name: v.pipe(v.string(), v.maxLength(ARCHIVE_LIMITS.nameCharacters)),
  path: v.pipe(v.string(), v.maxLength(ARCHIVE_LIMITS.nameCharacters)),
});

const index = v.looseObject({
  format: v.literal("tutelage-runs"),
  version: v.literal(1),
  runs: v.pipe(
    v.array(
      v.looseObject({
        runId: v.pipe(v.string(), v.regex(RUN_ID)),
        label: v.optional(v.pipe(v.string(), v.maxLength(ARCHIVE_LIMITS.labelCharacters))),
      }),
    ),
    v.minLength(1),
    v.maxLength(ARCHIVE_LIMITS.runs),
  ),
  // Files of the user's own; absent in archives of runs on built-in tasks.
  data: v.optional(
    v.pipe(
      v.array(
        v.looseObject({
          sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
          pool: dataFile,
          validation: v.exactOptional(dataFile),
          test: v.exactOptional(dataFile),
        }),
      ),
      v.maxLength(ARCHIVE_LIMITS.runs),
    ),
    [],
  ),
});

/** Files as a zip archive: texts packed, bytes as they are (weights do not get smaller). */
export function zipFiles(files: ReadonlyMap<string, string | Uint8Array>): Uint8Array {
  const entries: Zippable = {};
  for (const [path, content] of files)
    entries[path] = typeof content === "string" ? [strToU8(content), { level: 6 }] : [content, { level: 0 }];
  return zipSync(entries);
}

/** The runs as one file, owned by the caller. @throws bad-input for a data file over the bound. */
export function packRuns({ runs, data }: RunBundle): Uint8Array {
  const files = new Map<string, string | Uint8Array>();
  const listed = runs.map(({ run, label }) => ({
    runId: run.manifest.runId,
    ...(label === undefined ? {} : { label }),
  }));
  const added = [...data].map(([digest, kept]) => packData(digest, kept, files));
  const named = added.length === 0 ? {} : { data: added };
  files.set(INDEX, JSON.stringify({ format: "tutelage-runs", version: 1, runs: listed, ...named }, null, 2));
  for (const { run } of runs)
    for (const [path, content] of runFiles(run)) files.set(`${run.manifest.runId}/${path}`, content);
  return zipFiles(files);
}

/** Adds data files under `data/HASH/`, where a terminal finds them beside an unpacked run; returns their entry of the index. */
function packData(digest: string, kept: DataFiles, files: Map<string, string | Uint8Array>): object {
  const entries = SPLITS.flatMap((split) => {
    const file = kept[split];
    if (file === undefined) return [];
    const bytes = strToU8(file.text).length;
    if (bytes > ARCHIVE_LIMITS.dataBytes)
      badInput(`data file ${JSON.stringify(file.name)}`, `at most ${ARCHIVE_LIMITS.dataBytes} bytes`, String(bytes));
    const path = `data/${digest}/${split}${/\.(?:jsonl|json|csv|tsv)$/i.exec(file.name)?.[0].toLowerCase() ?? ".txt"}`;
    files.set(path, file.text);
    return [[split, { name: file.name, path }] as const];
  });
  return { sha256: digest, ...Object.fromEntries(entries) };
}

function runFiles(run: StoredRun): ReadonlyMap<string, string | Uint8Array> {
  const files = new Map<string, string | Uint8Array>([["manifest.json", `${JSON.stringify(run.manifest, null, 2)}\n`]]);
  const lines: Record<(typeof LINE_FILES)[number], unknown[]> = {
    "rounds.jsonl": [...run.rounds],
    "examples.jsonl": [...run.examples],
    "journal.jsonl": entriesOf(run).filter(({ type }) => type !== "round" && type !== "example"),
  };
  for (const name of LINE_FILES) files.set(name, lines[name].map((value) => `${JSON.stringify(value)}\n`).join(""));
  if (run.checkpoint === undefined) return files;
  const { parameters, ...rest } = run.checkpoint;
  const bytes = concatenate([...parameters.values()]);
  const digest = bytesToHex(sha256(bytes));
  const folder = `checkpoints/round-${rest.round}-${digest.slice(0, 8)}`;
  const tensors = [...parameters].map(([name, values]) => ({ name, length: values.length }));
  files.set(LATEST, JSON.stringify({ checkpoint: folder.slice("checkpoints/".length) }));
  files.set(`${folder}/checkpoint.json`, `${JSON.stringify({ ...rest, sha256: digest, tensors })}\n`);
  files.set(`${folder}/parameters.bin`, bytes);
  return files;
}

/** Parameters one after another, little-endian as every platform that runs this is. */
function concatenate(parts: readonly Float32Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), offset);
    offset += part.byteLength;
  }
  return bytes;
}

/**
 * The runs of an archive and their data files; that those have the hash they are listed under is for who keeps them to check.
 * @throws bad-input naming file and field, unsupported for another version's runs.
 */
export function unpackRuns(archive: Uint8Array, where = "run file"): RunBundle {
  const files = unzip(archive, where);
  const parsed = v.safeParse(index, json(where, INDEX, text(files, where, INDEX)));
  if (!parsed.success)
    badInput(`${where}, ${INDEX}`, "a list of runs written by Tutelage", v.summarize(parsed.issues).slice(0, 300));
  const ids = parsed.output.runs.map(({ runId }) => runId);
  if (new Set(ids).size !== ids.length) badInput(`${where}, ${INDEX}`, "different runs", ids.join(", "));
  const runs = parsed.output.runs.map(({ runId, label }) => ({
    run: parseRun(files, where, runId),
    ...(label === undefined ? {} : { label }),
  }));
  const read = ({ name, path }: v.InferOutput<typeof dataFile>): DataFile => {
    if ((files.get(path)?.length ?? 0) > ARCHIVE_LIMITS.dataBytes)
      badInput(`${where}, ${path}`, `at most ${ARCHIVE_LIMITS.dataBytes} bytes`, "more");
    text(files, where, path);
    // Byte for byte: a mark at the beginning is part of what was hashed.
    return { name, text: new TextDecoder("utf-8", { ignoreBOM: true }).decode(files.get(path)) };
  };
  const data = parsed.output.data.map(({ sha256: digest, pool, validation, test }): readonly [string, DataFiles] => [
    digest,
    {
      pool: read(pool),
      ...(validation === undefined ? {} : { validation: read(validation) }),
      ...(test === undefined ? {} : { test: read(test) }),
    },
  ]);
  return { runs, data: new Map(data) };
}

function unzip(archive: Uint8Array, where: string): ReadonlyMap<string, Uint8Array> {
  if (archive.length > ARCHIVE_LIMITS.bytes)
    badInput(where, `at most ${ARCHIVE_LIMITS.bytes} bytes`, String(archive.length));
  let unpacked = 0;
  let count = 0;
  try {
    const files = unzipSync(archive, {
      filter({ name, originalSize }) {
        unpacked += originalSize;
        if (++count > ARCHIVE_LIMITS.files) badInput(where, `at most ${ARCHIVE_LIMITS.files} files`, "more");
        if (unpacked > ARCHIVE_LIMITS.unpackedBytes)
          badInput(where, `at most ${ARCHIVE_LIMITS.unpackedBytes} bytes unpacked`, "more");
        if (!name.endsWith(".bin") && originalSize > ARCHIVE_LIMITS.textBytes)
          badInput(`${where}, ${name}`, `at most ${ARCHIVE_LIMITS.textBytes} bytes`, String(originalSize));
        return !name.endsWith("/");
      },
    });
    return new Map(Object.entries(files));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "bad-input") throw error;
    return badInput(
      where,
      "a run that was exported by Tutelage",
      `a file that is no such archive (${messageOf(error)})`,
    );
  }
}

function parseRun(files: ReadonlyMap<string, Uint8Array>, where: string, runId: string): StoredRun {
  const path = (name: string): string => `${runId}/${name}`;
  const manifestPath = path("manifest.json");
  const at = `${where}, ${manifestPath}`;
  const manifest = parseManifest(at, json(where, manifestPath, text(files, where, manifestPath)));
  if (manifest.runId !== runId) badInput(at, `run ${runId}`, `run ${manifest.runId}`);
  const entries = LINE_FILES.flatMap((name) => parseLines(files, where, path(name), name));
  const run = storedRunOf(manifest, entries, parseCheckpoint(files, where, path));
  checkOrder(run, `${where}, run ${runId}`);
  return run;
}

function parseLines(
  files: ReadonlyMap<string, Uint8Array>,
  where: string,
  path: string,
  name: (typeof LINE_FILES)[number],
): RunEntry[] {
  const lines = text(files, where, path).split("\n");
  return lines.flatMap((line, i): RunEntry[] => {
    if (line.trim() === "") return [];
    const at = `${where}, ${path}, line ${i + 1}`;
    const value = json(where, `${path}, line ${i + 1}`, line);
    if (name === "rounds.jsonl") return [parseEntry(at, { type: "round", summary: value })];
    if (name === "examples.jsonl") return [parseEntry(at, { type: "example", example: value })];
    return [parseEntry(at, value)];
  });
}

/** What a store could never have written, and a loop or a table would stumble over. */
function checkOrder({ manifest, rounds, examples, pools, picks }: StoredRun, where: string): void {
  const last = manifest.config.rounds;
  rounds.forEach(({ round }, i) => {
    if (round !== i || round > last) badInput(`${where}, rounds`, `round ${i} of ${last}`, `round ${round}`);
  });
  for (const { round } of [...examples, ...pools, ...picks])
    if (round > last) badInput(where, `rounds up to ${last}`, String(round));
  if (new Set(examples.map(({ id }) => id)).size !== examples.length)
    badInput(`${where}, examples`, "pairs with different ids", "the same id twice");
}

function parseCheckpoint(
  files: ReadonlyMap<string, Uint8Array>,
  where: string,
  path: (name: string) => string,
): Checkpoint | undefined {
  if (!files.has(path(LATEST))) return undefined;
  const pointer = json(where, path(LATEST), text(files, where, path(LATEST)));
  const folder = typeof pointer === "object" && pointer !== null && "checkpoint" in pointer ? pointer.checkpoint : null;
  if (typeof folder !== "string" || !/^round-\d+-[0-9a-f]+$/.test(folder))
    badInput(`${where}, ${path(LATEST)}`, "the name of a checkpoint", JSON.stringify(folder));
  const headerPath = path(`checkpoints/${folder}/checkpoint.json`);
  const {
    tensors,
    sha256: expected,
    ...rest
  } = parseCheckpointHeader(`${where}, ${headerPath}`, json(where, headerPath, text(files, where, headerPath)));
  const binPath = path(`checkpoints/${folder}/parameters.bin`);
  const bytes = files.get(binPath) ?? badInput(where, `a file ${binPath}`, "none", "The file is damaged");
  const elements = tensors.reduce((sum, { length }) => sum + length, 0);
  if (bytes.length !== elements * Float32Array.BYTES_PER_ELEMENT || bytesToHex(sha256(bytes)) !== expected)
    badInput(`${where}, ${binPath}`, "the bytes that were exported", "others", "The file is damaged");
  const values = new Float32Array(bytes.slice().buffer);
  const parameters = new Map<string, Float32Array>();
  let offset = 0;
  for (const { name, length } of tensors) {
    parameters.set(name, values.slice(offset, offset + length));
    offset += length;
  }
  return { ...rest, parameters };
}

function text(files: ReadonlyMap<string, Uint8Array>, where: string, path: string): string {
  const bytes = files.get(path);
  if (bytes === undefined)
    return badInput(where, `a file ${path}`, "none", "Choose a file that Export run of this page has written");
  return strFromU8(bytes);
}

function json(where: string, path: string, source: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    return badInput(`${where}, ${path}`, "JSON", messageOf(error));
  }
}
