/** @file Runs handed out and taken in: an archive says all of a run, also to a terminal; what comes in is checked; data sets and their cards. */
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { unzipSync, zipSync } from "fflate";
import { afterEach, describe, expect, it } from "vitest";
import { parseExamples } from "../../src/formats/examples.ts";
import { RunShelf } from "../../src/loop/runShelf.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { readRunFolder } from "../../src/storage/node/folderStore.ts";
import { ARCHIVE_LIMITS, packRuns, unpackRuns, zipFiles } from "../../src/storage/runArchive.ts";
import { collect, comparable, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { listenTo, sumsService, twoLanes, untilState } from "../support/sumsService.ts";
import { sumsTask } from "../support/sums.ts";

const config = sumsConfig({ task: { pool: 20, validation: 5, test: 20 }, rounds: 2, querySize: 4, perSeed: 2 });
const auto = { ep: "auto", showPool: true } as const;
const archiver = { pack: packRuns, unpack: unpackRuns, zip: zipFiles };

function shelfOver(library: MemoryLibrary): RunShelf {
  return new RunShelf({ library, archiver, createTask: () => sumsTask(), now: () => 0 });
}

/** A race of two lanes stopped after its first round, one pair rejected by hand. */
async function storedRace() {
  const library = new MemoryLibrary();
  const { service } = sumsService({ library, archiver });
  const race = await service.createRace({ lanes: twoLanes(config), ...auto });
  await service.step("round");
  await service.step("round");
  const runIds = race.lanes.map(({ runId }) => runId);
  const [pair] = (await service.runPairs(runIds[0]!)).filter(({ now }) => now.accepted);
  await service.changePair(runIds[0]!, pair!.made.id, { action: "reject" });
  await service.stop();
  return { library, runIds, rejected: pair!.made };
}

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

describe("an exported file", () => {
  it("brings back the runs whole, and they go on as they would have", async () => {
    const { library, runIds } = await storedRace();
    await shelfOver(library).label(runIds, " at home ");
    const { archive } = await shelfOver(library).export(runIds);
    const elsewhere = new MemoryLibrary();
    expect(await shelfOver(elsewhere).import(archive)).toEqual(runIds);
    for (const runId of runIds) expect(await elsewhere.read(runId)).toEqual(await library.read(runId));
    expect((await elsewhere.list()).map(({ label }) => label)).toEqual(["at home", "at home"]);
    const { service } = sumsService({ library: elsewhere });
    const heard = listenTo(service);
    await service.resumeRace(runIds, auto);
    await service.start();
    await untilState(heard, "done");
    // The lane that nobody touched.
    const deps = await sumsDeps({ showPool: true });
    expect(comparable(heard.of(1), 2)).toEqual(comparable(await collect(twoLanes(config)[1]!, deps), 2));
    await service.stop();
  });

  it("is kept a second time under other ids, its lanes together", async () => {
    const { library, runIds } = await storedRace();
    const shelf = shelfOver(library);
    const copies = await shelf.import((await shelf.export(runIds)).archive);
    expect(copies.some((id) => runIds.includes(id))).toBe(false);
    const headers = await shelf.list();
    expect(headers).toHaveLength(4);
    const races = (ids: readonly string[]) =>
      headers.filter(({ manifest }) => ids.includes(manifest.runId)).map(({ manifest }) => manifest.race?.id);
    expect(new Set(races(copies)).size).toBe(1);
    expect(races(copies)).not.toContain(races(runIds)[0]);
  });

  it("is a run folder for the terminal when unpacked", async () => {
    const { library, runIds } = await storedRace();
    const files = unzipSync((await shelfOver(library).export(runIds)).archive);
    const folder = await mkdtemp(join(tmpdir(), "run-archive-"));
    folders.push(folder);
    for (const [path, bytes] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), bytes);
    }
    expect(await readRunFolder(join(folder, runIds[0]!))).toEqual(await library.read(runIds[0]!));
  });
});

describe("a file that is no export is refused before anything is kept", () => {
  /** The export of one run with files replaced. */
  async function tampered(change: (files: Record<string, Uint8Array>, runId: string) => void): Promise<Uint8Array> {
    const { library, runIds } = await storedRace();
    const files = unzipSync((await shelfOver(library).export(runIds.slice(0, 1))).archive);
    change(files, runIds[0]!);
    return zipSync(files);
  }
  const text = (content: unknown): Uint8Array =>
    new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content));
  const edit = (
    files: Record<string, Uint8Array>,
    path: string,
    change: (value: Record<string, unknown>) => unknown,
  ) => {
    const [line = ""] = new TextDecoder().decode(files[path]).split("\n{");
    files[path] = text(change(JSON.parse(line) as Record<string, unknown>));
  };

  it.each<[string, (files: Record<string, Uint8Array>, runId: string) => void, RegExp]>([
    ["no index", (files) => delete files["tutelage.json"], /a file tutelage\.json, got none/],
    ["another format", (files) => (files["tutelage.json"] = text({ format: "zip" })), /a list of runs/],
    [
      "an id that is a path",
      (files) => (files["tutelage.json"] = text({ format: "tutelage-runs", version: 1, runs: [{ runId: "../x" }] })),
      /a list of runs/,
    ],
    ["a manifest that is not JSON", (files, id) => (files[`${id}/manifest.json`] = text("{")), /expected JSON/],
    [
      "a newer schema",
      (files, id) => edit(files, `${id}/manifest.json`, (manifest) => ({ ...manifest, schemaVersion: 2 })),
      /schema version 1/,
    ],
    [
      "another run's manifest",
      (files, id) => edit(files, `${id}/manifest.json`, (manifest) => ({ ...manifest, runId: "other" })),
      /expected run/,
    ],
    [
      "settings that cannot be",
      (files, id) =>
        edit(files, `${id}/manifest.json`, (manifest) => ({
          ...manifest,
          config: { ...(manifest["config"] as object), querySize: -1 },
        })),
      /querySize/,
    ],
    [
      "a number where a text is shown",
      (files, id) => edit(files, `${id}/examples.jsonl`, (pair) => ({ ...pair, question: 5 })),
      /question/,
    ],
    [
      "an accuracy over 1",
      (files, id) =>
        edit(files, `${id}/rounds.jsonl`, (round) => ({
          ...round,
          evaluation: { ...(round["evaluation"] as object), accuracy: 7 },
        })),
      /accuracy/,
    ],
    [
      "rounds out of order",
      (files, id) => edit(files, `${id}/rounds.jsonl`, (round) => ({ ...round, round: 1 })),
      /round 0/,
    ],
    [
      "other parameters",
      (files) => {
        const path = Object.keys(files).find((name) => name.endsWith("parameters.bin"))!;
        files[path]![0]! ^= 1;
      },
      /the bytes that were exported/,
    ],
    [
      "too many files",
      (files) => {
        for (let i = 0; i <= ARCHIVE_LIMITS.files; i++) files[`x${i}`] = new Uint8Array(0);
      },
      /at most 200 files/,
    ],
  ])("%s", async (_name, change, message) => {
    const library = new MemoryLibrary();
    await expect(shelfOver(library).import(await tampered(change))).rejects.toThrow(message);
    expect(await library.list()).toEqual([]);
  });

  it("bytes that are no archive, and one that would unpack to more than fits", async () => {
    const shelf = shelfOver(new MemoryLibrary());
    await expect(shelf.import(new Uint8Array(100))).rejects.toThrow(/no such archive/);
    const bomb = zipSync({ "tutelage.json": new Uint8Array(1000) }, { level: 9 });
    const view = new DataView(bomb.buffer, bomb.byteOffset);
    // The size in the archive's directory is what is believed, and what is unpacked is held to it.
    const directory = [...bomb.keys()].find((i) => i + 4 <= bomb.length && view.getUint32(i, true) === 0x02014b50)!;
    view.setUint32(directory + 24, ARCHIVE_LIMITS.unpackedBytes + 1, true);
    await expect(shelf.import(bomb)).rejects.toThrow(/bytes unpacked/);
    view.setUint32(directory + 24, 10, true);
    await expect(shelf.import(bomb)).rejects.toMatchObject({ code: "bad-input" });
  });
});

describe("a data set", () => {
  it("holds the accepted pairs as rows to train on, and a card that says how they came about", async () => {
    const { library, runIds, rejected } = await storedRace();
    const shelf = shelfOver(library);
    const files = unzipSync(await shelf.dataset(runIds[0]!));
    expect(Object.keys(files).sort()).toEqual(["README.md", "data/train.jsonl"]);
    const rows = parseExamples(new TextDecoder().decode(files["data/train.jsonl"]), "train.jsonl");
    const pairs = (await shelf.pairs(runIds[0]!)).filter(({ now }) => now.accepted);
    expect(rows).toEqual(
      pairs.map(({ now }) => ({ id: now.id, prompt: `Q: ${now.question}\nA: `, completion: now.answer })),
    );
    expect(rows.some(({ id }) => id === rejected.id)).toBe(false);
    const card = new TextDecoder().decode(files["README.md"]);
    expect(card).toMatch(/^---\nlanguage:\n {2}- en\n/);
    expect(card).toContain("path: data/train.jsonl");
    expect(card).toContain("| changed by hand | 0 edits, 1 rejections |");
  });
});

describe("rows of a table", () => {
  it("have their seed as it was before and after the training on them", async () => {
    const library = new MemoryLibrary();
    const { service } = sumsService({ library });
    const heard = listenTo(service);
    const { lanes } = await service.createRace({ lanes: [config], ...auto });
    await service.start();
    await untilState(heard, "done");
    const rows = await service.runPairs(lanes[0]!.runId);
    const stored = (await library.read(lanes[0]!.runId))!;
    expect(rows).toHaveLength(stored.examples.length);
    const pool = (round: number, id: string) =>
      stored.pools.find((one) => one.round === round)?.items.find((item) => item.id === id);
    for (const { made, before, after, seed } of rows) {
      expect(before?.ownLoss).toBe(pool(made.round, made.seedId)?.ownLoss);
      expect(after?.trueLoss).toBe(pool(made.round + 1, made.seedId)?.trueLoss);
      expect(seed?.question).toBe(pool(1, made.seedId)?.question);
      expect(after === null).toBe(made.round === config.rounds);
    }
    await service.stop();
  });
});
