/** @file Data of the user's own in the page's worker: looked over row by row, kept by content, resumed, removed with the last run that needs them. */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { unzipSync, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../src/hub/hash.ts";
import { dataOfRun, loadTaskData } from "../../src/cli/taskData.ts";
import { createDataShelf } from "../../src/loop/dataShelf.ts";
import { memoryDataFiles } from "../../src/storage/dataFilesDb.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { packRuns, unpackRuns, zipFiles } from "../../src/storage/runArchive.ts";
import { customTask } from "../../src/tasks/custom/custom.ts";
import type { DataFiles } from "../../src/loop/runStore.ts";
import { sumsConfig } from "../support/loopRuns.ts";
import { sumsTask } from "../support/sums.ts";
import { sumsService } from "../support/sumsService.ts";
import { Workspace } from "../support/runCli.ts";

const shelf = () => createDataShelf(memoryDataFiles(), sha256Hex);
const csv = (lines: readonly string[], name = "capitals.csv"): DataFiles => ({
  pool: { name, text: `${lines.join("\n")}\n` },
});
const SUMS = csv(
  ["question,answer", ...Array.from({ length: 80 }, (_, i) => `What is ${i} + 2?,#### ${i + 2}`)],
  "s.csv",
);

describe("an inspection", () => {
  const inspect = async (files: DataFiles, settings = {}) => {
    const one = shelf();
    return one.inspect(await one.add(files), settings);
  };

  it("finds columns and checker, shows rows, reads gold answers and counts each split", async () => {
    const found = await inspect(SUMS);
    expect(found).toMatchObject({
      columns: ["question", "answer"],
      rows: 80,
      settings: { checker: "####", columns: { question: ["question"], answer: ["answer"] } },
      rowProblems: [],
      wrongRows: 0,
    });
    expect(found.problem).toBeUndefined();
    expect(found.preview[0]).toEqual({ at: "s.csv: row 2", cells: { question: "What is 0 + 2?", answer: "#### 2" } });
    expect(found.golds[1]).toEqual({
      at: "s.csv: row 3",
      question: "What is 1 + 2?",
      answer: "#### 3",
      final: "3",
      accepted: true,
    });
    const { pool, validation, test } = found.available!;
    expect(pool + validation + test).toBe(80);
  });

  it("tells every wrong row with where it stands, not the first alone", async () => {
    const found = await inspect(csv(["q,a", "one?,1", "two?,many", ",3", "four?,4", "four?,5"]), {
      columns: { question: ["q"], answer: ["a"] },
      checker: "numeric",
    });
    expect(found.rowProblems.map(({ at }) => at)).toEqual([
      "capitals.csv: row 3",
      "capitals.csv: row 4",
      "capitals.csv: row 6",
    ]);
    expect(found.rowProblems.map(({ message }) => message).join("\n")).toMatch(
      /expected a number, got "many"[^]*a question, got an empty text[^]*the answer of capitals\.csv: row 5/,
    );
    expect([found.wrongRows, found.available]).toEqual([3, undefined]);
  });

  it("says which of columns and checker has to be chosen", async () => {
    const land = await inspect(csv(["land,city", "Peru,Lima"]));
    expect([land.mapping, land.settings]).toEqual([undefined, undefined]);
    expect(land.problem).toMatch(/question column/);
    const mapped = await inspect(csv(["question,answer", "Capital of Peru?,Lima"]));
    expect(mapped.mapping).toEqual({ question: ["question"], answer: ["answer"] });
    expect(mapped.settings).toBeUndefined();
    expect(mapped.problem).toMatch(/checker/);
    const pattern = await inspect(SUMS, { checker: "regex", pattern: "(" });
    expect(pattern.problem).toMatch(/regular expression/);
  });

  it("is right exactly where the task accepts the data", async () => {
    const cases: readonly (readonly [DataFiles, object])[] = [
      [SUMS, {}],
      [csv(["question,answer", "a?,1", "b?,"]), { checker: "exact" }],
      [csv(["question,answer", "a?,1", "a?,2"]), { checker: "exact" }],
      [SUMS, { checker: "boxed" }],
      [SUMS, { checker: "regex", pattern: "x" }],
    ];
    const outcomes: boolean[] = [];
    for (const [files, settings] of cases) {
      const one = shelf();
      const digest = await one.add(files);
      const { problem, wrongRows } = await one.inspect(digest, settings);
      const { tables } = await one.options({ digest, pool: "p", ...settings });
      const accepts = (): boolean => {
        try {
          customTask({ tables, ...settings });
          return true;
        } catch {
          return false;
        }
      };
      outcomes.push(accepts());
      expect(problem === undefined && wrongRows === 0).toBe(accepts());
    }
    expect(outcomes).toEqual([true, false, false, true, false]);
  });

  it("refuses what is no table", async () => {
    await expect(shelf().add({ pool: { name: "x.json", text: "[1, 2]" } })).rejects.toThrow(/row 1.*JSON object/);
    await expect(shelf().add({ pool: { name: "x.csv", text: "" } })).rejects.toThrow(/at least one row/);
  });
});

describe("kept files", () => {
  it("have the hash that the command line writes", async () => {
    const files = new Workspace();
    const path = files.write("s.csv", SUMS.pool.text);
    expect(await shelf().add(SUMS)).toBe((await loadTaskData({ pool: path })).data.digest);
    files.remove();
    expect(sha256Hex("é")).toBe(createHash("sha256").update("é").digest("hex"));
  });

  it("are asked for again where a browser has none", async () => {
    await expect(shelf().options({ digest: "ab".repeat(32), pool: "gsm.jsonl" })).rejects.toThrow(
      /"gsm\.jsonl" \(SHA-256 abababababab…\), got none in this browser/,
    );
  });

  it("reach the task of a run, and go when the last run that needs them is deleted", async () => {
    const store = memoryDataFiles();
    const data = createDataShelf(store, sha256Hex);
    const pools: number[] = [];
    const { service } = sumsService({
      data,
      createTask: async ({ task }) => {
        const { tables } = await data.options(task.data!);
        pools.push(tables.pool.rows.length);
        return sumsTask();
      },
    });
    const digest = await service.addData(SUMS);
    expect((await service.inspectData(digest, {})).rows).toBe(80);
    const config = sumsConfig({ task: { pool: 4, validation: 2, test: 2 }, rounds: 1, querySize: 2, perSeed: 1 });
    const own = { ...config, task: { ...config.task, name: "custom", data: { pool: "s.csv", digest } } };
    const first = await service.createRace({ lanes: [own], ep: "cpu", showPool: false });
    const second = await service.createRace({ lanes: [own], ep: "cpu", showPool: false });
    await service.stop();
    await service.resumeRace([first.lanes[0]!.runId], { ep: "cpu", showPool: false });
    await service.stop();
    expect(pools).toEqual([80, 80, 80]);
    await service.deleteRun(first.lanes[0]!.runId);
    expect(await store.get(digest)).toBeDefined();
    await service.deleteRun(second.lanes[0]!.runId);
    expect(await store.get(digest)).toBeUndefined();
  });

  /** A service over a browser of its own; the race it keeps is over `SUMS`. */
  const browserWith = (store = memoryDataFiles()) => {
    const data = createDataShelf(store, sha256Hex);
    const library = new MemoryLibrary();
    const { service } = sumsService({
      library,
      data,
      archiver: { pack: packRuns, unpack: unpackRuns, zip: zipFiles },
      createTask: async ({ task }) => {
        await data.options(task.data!);
        return sumsTask();
      },
    });
    return { service, library, store };
  };
  const kept = async () => {
    const home = browserWith();
    const digest = await home.service.addData(SUMS);
    const config = sumsConfig({ task: { pool: 4, validation: 2, test: 2 }, rounds: 2, querySize: 2, perSeed: 1 });
    const own = { ...config, task: { ...config.task, name: "custom", data: { pool: SUMS.pool.name, digest } } };
    const { lanes } = await home.service.createRace({ lanes: [own, own], ep: "cpu", showPool: false });
    await home.service.step("round");
    await home.service.stop();
    const runIds = lanes.map(({ runId }) => runId);
    return { ...home, digest, runIds, ...(await home.service.exportRuns(runIds)) };
  };

  it("go with an exported run, once for all lanes, and it resumes where they were never chosen", async () => {
    const { archive, dataFiles, digest, runIds } = await kept();
    expect(dataFiles).toEqual([SUMS.pool.name]);
    expect(Object.keys(unzipSync(archive)).filter((path) => path.startsWith("data/"))).toHaveLength(1);
    const elsewhere = browserWith();
    expect(await elsewhere.service.importRuns(archive)).toEqual(runIds);
    expect(await elsewhere.store.get(digest)).toEqual(SUMS);
    const race = await elsewhere.service.resumeRace(runIds, { ep: "cpu", showPool: false });
    expect(race.lanes).toHaveLength(2);
    await elsewhere.service.stop();
    // A copy needs them as much as the first.
    const copies = await elsewhere.service.importRuns(archive);
    for (const runId of runIds) await elsewhere.service.deleteRun(runId);
    expect(await elsewhere.store.get(digest)).toBeDefined();
    for (const runId of copies) await elsewhere.service.deleteRun(runId);
    expect(await elsewhere.store.get(digest)).toBeUndefined();
  });

  it("that were changed on the way are refused, and nothing is kept", async () => {
    const { archive, digest } = await kept();
    const files = unzipSync(archive);
    const path = Object.keys(files).find((name) => name.startsWith("data/"))!;
    files[path]![files[path]!.length - 2]! ^= 1;
    const elsewhere = browserWith();
    await expect(elsewhere.service.importRuns(zipSync(files))).rejects.toThrow(/content with SHA-256.*damaged/);
    delete files[path];
    await expect(elsewhere.service.importRuns(zipSync(files))).rejects.toThrow(/expected a file data\//);
    expect([await elsewhere.library.list(), await elsewhere.store.get(digest)]).toEqual([[], undefined]);
  });

  it("that no longer are in a browser leave the run to be exported without them", async () => {
    const { service, store, digest, runIds } = await kept();
    await store.delete(digest);
    expect((await service.exportRuns(runIds)).dataFiles).toEqual([]);
  });

  it("are found by a terminal beside an unpacked run", async () => {
    const { archive, runIds, digest } = await kept();
    const folder = new Workspace();
    for (const [path, bytes] of Object.entries(unzipSync(archive))) {
      mkdirSync(dirname(folder.in(path)), { recursive: true });
      folder.write(path, bytes);
    }
    const data = { pool: SUMS.pool.name, digest };
    const found = await dataOfRun(data, folder.in(runIds[0]!));
    expect((await loadTaskData(found)).data.digest).toBe(digest);
    expect(await dataOfRun(data, folder.in("other", "run"))).toEqual(data);
    folder.remove();
  });
});
