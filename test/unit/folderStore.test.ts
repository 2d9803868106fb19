/** @file The run folder: its files, what it refuses, and what it survives. The duties of every store: runStores. */
import { spawn } from "node:child_process";
import { appendFile, mkdir, mkdtemp, readFile, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openRunFolder, readRunFolder } from "../../src/storage/node/folderStore.ts";
import { LineFile } from "../../src/storage/node/files.ts";
import { FOLDER_LOOP_CONFIG } from "../support/folderLoopConfig.ts";
import { collect, comparable, ofType, sumsDeps } from "../support/loopRuns.ts";
import { checkpointOf, exampleEntry, manifestOf, roundEntry } from "../support/runLibrarySuite.ts";

const temporary = (): Promise<string> => mkdtemp(join(tmpdir(), "tutelage-folder-"));
const parameters = new Map([["w", Float32Array.of(1, 2)]]);

/** A folder with a small run in it, closed. */
async function folderWithRun(): Promise<string> {
  const directory = await temporary();
  const store = await openRunFolder(directory, { runId: "a" });
  await store.create(manifestOf("a"));
  for (const id of ["x", "y"]) await store.append(exampleEntry(id));
  await store.append(roundEntry(0));
  await store.saveCheckpoint(checkpointOf(0, parameters));
  await store.close();
  return directory;
}

describe("a run folder", () => {
  it("has the files people and scripts read", async () => {
    const directory = await folderWithRun();
    expect((await readdir(directory)).sort()).toEqual([
      "checkpoints",
      "examples.jsonl",
      "manifest.json",
      "rounds.jsonl",
      "timings.jsonl",
    ]);
    expect(JSON.parse(await readFile(join(directory, "manifest.json"), "utf8"))).toEqual(manifestOf("a"));
    const lines = (await readFile(join(directory, "examples.jsonl"), "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual(["x", "y"].map((id) => exampleEntry(id).example));
    const [round] = (await readFile(join(directory, "rounds.jsonl"), "utf8")).trimEnd().split("\n");
    const {
      durationMs,
      teacher: { durationMs: teacherMs, ...teacher },
      ...summary
    } = roundEntry(0).summary;
    expect(JSON.parse(round ?? "")).toEqual({ ...summary, teacher });
    const timing = await readFile(join(directory, "timings.jsonl"), "utf8");
    expect(timing).toBe(`${JSON.stringify({ round: 0, durationMs, teacherMs })}\n`);
    expect((await readRunFolder(directory))?.rounds).toEqual([roundEntry(0).summary]);
    const checkpoints = await readdir(join(directory, "checkpoints"));
    expect(checkpoints).toHaveLength(2);
    expect(checkpoints).toContain("latest.json");
  });

  it("is gone again where no run began in it, if it was not there before", async () => {
    const parent = await temporary();
    await (await openRunFolder(join(parent, "new"), { runId: "a" })).close();
    expect(await readdir(parent)).toEqual([]);
    await (await openRunFolder(parent, { runId: "a" })).close();
    expect(await readdir(parent)).toEqual([]);
  });

  it("makes missing parents, and takes an empty folder", async () => {
    const parent = await temporary();
    const store = await openRunFolder(join(parent, "a", "b"));
    expect(store.runId).toMatch(/^[0-9a-f-]{36}$/);
    await store.close();
  });

  it("keeps the identity of the run it finds", async () => {
    const store = await openRunFolder(await folderWithRun());
    expect(store.runId).toBe("a");
    await store.close();
  });

  it("refuses a folder with something else, another run, and a file", async () => {
    const foreign = await temporary();
    await writeFile(join(foreign, "thesis.tex"), "");
    await expect(openRunFolder(foreign)).rejects.toThrow(
      /expected an empty folder or one with a run, got a folder with thesis\.tex and no manifest\.json/,
    );
    expect(await readdir(foreign)).toEqual(["thesis.tex"]);
    await expect(openRunFolder(await folderWithRun(), { runId: "b" })).rejects.toThrow(/expected run b, got run a/);
    await expect(openRunFolder(join(foreign, "thesis.tex"))).rejects.toMatchObject({ code: "bad-input" });
    await expect(openRunFolder(join(foreign, "thesis.tex", "deeper"))).rejects.toMatchObject({ code: "bad-input" });
  });

  it("drops a torn last line and goes on after it", async () => {
    const directory = await folderWithRun();
    const path = join(directory, "examples.jsonl");
    const whole = await readFile(path, "utf8");
    const lastLine = whole.trimEnd().split("\n").at(-1) ?? "";
    const start = Buffer.byteLength(whole) - Buffer.byteLength(lastLine) - 1;
    for (const cut of [start + 1, start + 10, start + lastLine.length - 1]) {
      await writeFile(path, whole);
      await truncate(path, cut);
      expect((await readRunFolder(directory))?.examples.map(({ id }) => id)).toEqual(["x"]);
      const store = await openRunFolder(directory);
      expect((await store.load())?.examples.map(({ id }) => id)).toEqual(["x"]);
      await store.append(exampleEntry("z"));
      await store.close();
      expect((await readRunFolder(directory))?.examples.map(({ id }) => id)).toEqual(["x", "z"]);
    }
  });

  it("keeps a last line that lacks only its end", async () => {
    const directory = await folderWithRun();
    const path = join(directory, "examples.jsonl");
    await truncate(path, Buffer.byteLength(await readFile(path, "utf8")) - 1);
    const store = await openRunFolder(directory);
    expect((await store.load())?.examples.map(({ id }) => id)).toEqual(["x", "y"]);
    await store.append(exampleEntry("z"));
    await store.close();
    expect((await readRunFolder(directory))?.examples.map(({ id }) => id)).toEqual(["x", "y", "z"]);
  });

  it("refuses lines that no crash can have left, naming file, line and field", async () => {
    const directory = await folderWithRun();
    const path = join(directory, "examples.jsonl");
    const whole = await readFile(path, "utf8");
    await writeFile(path, `{"torn\n${whole}`);
    await expect(readRunFolder(directory)).rejects.toThrow(/examples\.jsonl, line 1: expected JSON/);
    await writeFile(path, `${whole}${JSON.stringify({ ...exampleEntry("z").example, accepted: "yes" })}\n`);
    await expect(readRunFolder(directory)).rejects.toThrow(
      /examples\.jsonl, line 3, example\.accepted: expected boolean, got "yes"/,
    );
  });

  it("ignores a checkpoint that was never pointed to", async () => {
    const directory = await folderWithRun();
    const checkpoints = join(directory, "checkpoints");
    await mkdir(join(checkpoints, "999.tmp"));
    await writeFile(join(checkpoints, "999.tmp", "parameters.bin"), "half");
    await mkdir(join(checkpoints, "round-1-0badcafe"));
    expect((await readRunFolder(directory))?.checkpoint?.round).toBe(0);
    const store = await openRunFolder(directory);
    await store.saveCheckpoint(checkpointOf(1, parameters));
    await store.close();
    // The next one clears up.
    expect((await readdir(checkpoints)).length).toBe(2);
    expect((await readRunFolder(directory))?.checkpoint?.round).toBe(1);
  });

  it("refuses a damaged checkpoint instead of training on it", async () => {
    const damage = async (change: (folder: string) => Promise<void>): Promise<string> => {
      const directory = await folderWithRun();
      const { checkpoint } = JSON.parse(await readFile(join(directory, "checkpoints", "latest.json"), "utf8")) as {
        checkpoint: string;
      };
      await change(join(directory, "checkpoints", checkpoint));
      return directory;
    };
    const flipped = await damage((folder) => writeFile(join(folder, "parameters.bin"), new Uint8Array(8)));
    await expect(readRunFolder(flipped)).rejects.toThrow(
      /parameters\.bin: expected 8 bytes with SHA-256 .* The checkpoint is damaged/,
    );
    const short = await damage((folder) => truncate(join(folder, "parameters.bin"), 4));
    await expect(readRunFolder(short)).rejects.toThrow(/got 4 bytes/);
    const headless = await damage((folder) => rm(join(folder, "checkpoint.json")));
    await expect(readRunFolder(headless)).rejects.toThrow(
      /checkpoint\.json: expected a checkpoint's header, got no file/,
    );
    const lying = await damage(async (folder) => {
      const header = JSON.parse(await readFile(join(folder, "checkpoint.json"), "utf8")) as object;
      await writeFile(
        join(folder, "checkpoint.json"),
        JSON.stringify({ ...header, tensors: [{ name: "w", length: 1e9 }] }),
      );
    });
    await expect(readRunFolder(lying)).rejects.toThrow(/expected 4000000000 bytes/);
    const elsewhere = await folderWithRun();
    await writeFile(join(elsewhere, "checkpoints", "latest.json"), JSON.stringify({ checkpoint: "../../etc" }));
    await expect(readRunFolder(elsewhere)).rejects.toThrow(/expected the name of a checkpoint/);
  });

  it("refuses a manifest of another schema version or of no run", async () => {
    const newer = await temporary();
    await writeFile(join(newer, "manifest.json"), JSON.stringify({ ...manifestOf("a"), schemaVersion: 2 }));
    await expect(openRunFolder(newer)).rejects.toMatchObject({
      code: "unsupported",
      message: expect.stringContaining("expected stored schema version 1, got 2"),
    });
    const broken = await temporary();
    await writeFile(join(broken, "manifest.json"), '{"schemaVersion":1');
    await expect(openRunFolder(broken)).rejects.toThrow(/manifest\.json: expected JSON/);
    await writeFile(join(broken, "manifest.json"), '{"name":"a web app"}');
    await expect(openRunFolder(broken)).rejects.toThrow(/manifest\.json, runId: expected/);
  });

  it("is given free by a process that died, and not by one that lives", async () => {
    const directory = await folderWithRun();
    const { hostname } = await import("node:os");
    await writeFile(join(directory, "lock"), `999999999 ${hostname()}\n`);
    await (await openRunFolder(directory)).close();
    await writeFile(join(directory, "lock"), `${process.ppid} ${hostname()}\n`);
    await expect(openRunFolder(directory)).rejects.toThrow(new RegExp(`one that process ${process.ppid} .* works in`));
    // Our own id in a lock we do not hold: a restarted container.
    await writeFile(join(directory, "lock"), `${process.pid} ${hostname()}\n`);
    await (await openRunFolder(directory)).close();
  });

  it("survives kill -9 at any moment: every restart goes on, and the end is the uninterrupted run's", async () => {
    const whole = await collect(FOLDER_LOOP_CONFIG, await sumsDeps());
    const directory = await temporary();
    const script = fileURLToPath(new URL("../support/folderLoop.ts", import.meta.url));
    let kills = 0;
    for (let records = 12; ; records += 17) {
      if (!(await runAndKill(script, directory, records))) break;
      kills++;
    }
    expect(kills).toBeGreaterThanOrEqual(2);
    const stored = await readRunFolder(directory);
    expect(stored?.rounds.map((summary) => ({ ...summary, durationMs: 0 }))).toEqual(
      ofType(whole, "round").map(({ summary }) => ({ ...summary, durationMs: 0 })),
    );
    expect(comparable((stored?.examples ?? []).map((example) => ({ type: "example", example })))).toEqual(
      comparable(ofType(whole, "example")),
    );
    // One line per call: none was asked twice.
    const asked = (stored?.replies ?? []).map(({ id, call }) => `${id} ${call}`);
    expect(new Set(asked).size).toBe(asked.length);
  }, 120_000);
});

/** Starts the loop and kills it at its `records`th record; false when it ended by itself before. */
function runAndKill(script: string, directory: string, records: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--import", "tsx", script, directory], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let seen = 0;
    let errors = "";
    child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    child.stdout.on("data", (chunk: Buffer) => {
      seen += chunk.toString().split("\n").length - 1;
      if (seen >= records) child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      if (signal === "SIGKILL") resolve(true);
      else if (code === 0) resolve(false);
      else reject(new Error(`the loop failed: ${errors}`));
    });
  });
}

describe("a line file", () => {
  it.runIf(process.platform === "linux")(
    "says that the disk is full, and writes nothing after a torn line",
    async () => {
      const file = new LineFile("/dev/full");
      await expect(file.append({ a: 1 })).rejects.toMatchObject({
        code: "quota",
        message: expect.stringContaining("the disk is full"),
      });
      await expect(file.append({ a: 2 })).rejects.toMatchObject({ code: "quota" });
      await file.settled();
    },
  );

  it("writes lines in the order of the calls", async () => {
    const path = join(await temporary(), "lines.jsonl");
    await appendFile(path, "");
    const file = new LineFile(path);
    await Promise.all(Array.from({ length: 30 }, (_, i) => file.append(i)));
    expect(await readFile(path, "utf8")).toBe(Array.from({ length: 30 }, (_, i) => `${i}\n`).join(""));
  });
});
