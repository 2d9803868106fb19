/** @file `tutelage loop`: what it prints and keeps, the same numbers for the same seed, and how a run goes on. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { loadAdapter } from "../../src/formats/peft.ts";
import { parseExperimentConfig } from "../../src/loop/parseConfig.ts";
import { adapterDirectory } from "../support/goldens.ts";
import { CPU, runCli, Workspace, type CliResult } from "../support/runCli.ts";
import { tinyStudentSource } from "../support/tinyStudent.ts";

let space: Workspace;
beforeEach(() => {
  space = new Workspace();
});
afterEach(() => space.remove());

const SMALL = "--pool 12 --validation 4 --test 12 --rounds 2 --query-size 4 --per-seed 1 --epochs 1 --seed 5".split(
  " ",
);
const loop = (...args: readonly string[]): Promise<CliResult> => runCli(["loop", ...args, ...CPU, "--json"]);
/** Lines without durations, which are the clock's. */
const rounds = (text: string): string => text.replaceAll(/,"durationMs":\d+(\.\d+)?/g, "");

test("one line a round, the same for the same seed; the folder has manifest, rounds, examples and a checkpoint", async () => {
  const first = await loop(...SMALL, "--out", space.in("a"));
  const second = await loop(...SMALL, "--out", space.in("b"));
  expect([first.status, second.status]).toEqual([0, 0]);
  expect(first.records.map((record) => record["round"])).toEqual([0, 1, 2]);
  expect(rounds(second.out)).toBe(rounds(first.out));
  const kept = ["a", "b"].map((name) => readFileSync(space.in(name, "rounds.jsonl"), "utf8"));
  expect(kept[0]).toBe(rounds(first.out));
  expect(kept[1]).toBe(kept[0]);
  expect(space.list("a")).toEqual([
    "checkpoints",
    "examples.jsonl",
    "journal.jsonl",
    "manifest.json",
    "rounds.jsonl",
    "timings.jsonl",
  ]);
  const manifest = JSON.parse(readFileSync(space.in("a", "manifest.json"), "utf8")) as Record<string, unknown>;
  expect(manifest).toMatchObject({ config: { seed: 5, rounds: 2, querySize: 4 }, engine: { ep: "cpu", threads: 1 } });
  const examples = readFileSync(space.in("a", "examples.jsonl"), "utf8").trimEnd().split("\n");
  expect(examples).toHaveLength(8);
  const other = await loop(...SMALL, "--seed", "6", "--out", space.in("c"));
  expect(rounds(other.out)).not.toBe(rounds(first.out));
});

test("a run that was stopped goes on to the numbers of one that was not; a finished one says so", async () => {
  const whole = await loop(...SMALL, "--out", space.in("whole"));
  const stopped = await runCli(["loop", ...SMALL, ...CPU, "--json", "--out", space.in("parts")], {
    onOut: (text) => {
      if (text.includes('"round":1')) process.emit("SIGINT");
    },
  });
  expect(stopped.status).toBe(1);
  expect(stopped.err).toContain(`stopped; go on with: tutelage loop --resume ${space.in("parts")}\n`);
  expect(stopped.records.map((record) => record["round"])).toEqual([0, 1]);
  const rest = await loop("--resume", space.in("parts"));
  expect(rest.status).toBe(0);
  expect(rounds(stopped.out + rest.out)).toBe(rounds(whole.out));
  const file = (name: string): string => readFileSync(space.in(name, "rounds.jsonl"), "utf8");
  expect(file("parts")).toBe(file("whole"));

  const again = await loop("--resume", space.in("parts"));
  expect([again.status, again.out]).toEqual([0, ""]);
  expect(again.err).toContain("nothing was left to do: all rounds of this run are done\n");
});

test("--resume takes no setting that would make another run, and a new run no folder that is taken", async () => {
  await loop(...SMALL, "--rounds", "1", "--out", space.in("a"));
  const resumed = await loop("--resume", space.in("a"), "--rounds", "3");
  expect([resumed.status, resumed.err]).toEqual([
    2,
    expect.stringMatching(/--resume: expected no other setting than --batch-size, .*, got --rounds/),
  ]);
  const taken = await loop(...SMALL, "--out", space.in("a"));
  expect([taken.status, taken.err]).toEqual([2, expect.stringContaining(space.in("a"))]);
});

test("a student with an adapter goes on with it, at the adapter's own rank; the run says both names", async () => {
  const source = await tinyStudentSource();
  mkdirSync(space.in("tiny"));
  for (const path of (await source.list?.()) ?? []) space.write(join("tiny", path), await source.read(path));
  const adapter = adapterDirectory("llama-gqa-tied");
  const named = ["--student", space.in("tiny"), "--adapter", adapter, "--method", "lora"];
  const settings = { adapter, training: { method: { method: "lora", r: 2 } } };
  expect(() => parseExperimentConfig(settings)).toThrow(/method\.r: expected none beside an adapter, got 2/);
  const tiny = "--pool 2 --validation 0 --test 2 --rounds 1 --query-size 1 --per-seed 1 --epochs 1".split(" ");
  const { status, err } = await loop(...tiny, ...named, "--out", space.in("run"));
  expect([status, err]).toEqual([0, expect.any(String)]);
  const { modules } = await loadAdapter(directorySource(adapter));
  const trainable = [...modules.values()].reduce(
    (sum, { loraA, loraB }) => sum + loraA.data.length + loraB.data.length,
    0,
  );
  expect(JSON.parse(readFileSync(space.in("run", "manifest.json"), "utf8"))).toMatchObject({
    config: { adapter },
    student: { name: `${space.in("tiny")} + ${adapter}`, trainable },
  });
});
