/** @file `tutelage loop` and `train` that run out of memory: what they say, and that the options they name go on with the same training. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { adviceInLess, trainInLess } from "../../src/cli/memoryOptions.ts";
import { runCli, Workspace, type CliResult } from "../support/runCli.ts";
import { tinyStudentSource } from "../support/tinyStudent.ts";

let space: Workspace;
beforeEach(() => {
  space = new Workspace();
});
afterEach(() => space.remove());

/** Characters of an answer: attention over four such rows outgrows the heap of WebAssembly in training, over two it does not. */
const LONG = 3300;

const loop = (...args: readonly string[]): Promise<CliResult> => runCli(["loop", ...args, "--json"]);

test("a loop whose training does not fit goes on with what its message names, and keeps its rounds", async () => {
  const source = await tinyStudentSource(16_384);
  mkdirSync(space.in("tiny"));
  for (const path of (await source.list?.()) ?? []) space.write(join("tiny", path), await source.read(path));
  const working = "three apples ".repeat(LONG / 13);
  const rows = Array.from({ length: 40 }, (_, n) => `Tom has ${n} apples,${working},${n}`);
  space.write("long.csv", `question,working,answer\n${rows.join("\n")}\n`);
  const settings = [
    "--task",
    "custom",
    "--task-data",
    space.in("long.csv"),
    "--columns",
    "question=question,answer=working+answer",
    "--checker",
    "exact",
  ];
  const sizes =
    "--pool 4 --validation 0 --test 2 --rounds 1 --query-size 4 --per-seed 1 --epochs 1 --replay 0 --batch-size 4 --max-new-tokens 4 --pairs seeds --teacher none --repeats avoided --seed 3";
  const wasm = ["--ep", "wasm", "--threads", "2"];
  const first = await loop(
    ...settings,
    ...sizes.split(" "),
    "--student",
    space.in("tiny"),
    "--out",
    space.in("run"),
    ...wasm,
  );
  expect([first.status, first.records.map(({ round }) => round), first.err]).toEqual([1, [0], expect.any(String)]);
  expect(first.err).toMatch(
    /training on wasm: expected at most 4.29 GB of memory.*A batch size of 2 with gradient accumulation would fit/s,
  );
  const options = "--batch-size 2 --gradient-checkpointing on";
  expect(first.err).toContain(`go on in less with: tutelage loop --resume ${space.in("run")} ${options} (`);
  const refused = await loop("--resume", space.in("run"), "--batch-size", "3", ...wasm);
  expect([refused.status, refused.err]).toEqual([
    2,
    expect.stringContaining("--batch-size: expected a divisor of 4, the rows of a step of this run, got 3"),
  ]);
  const rest = await loop("--resume", space.in("run"), ...options.split(" "), ...wasm);
  expect([rest.status, rest.records.map(({ round, steps }) => [round, steps]), rest.err]).toEqual([
    0,
    [[1, 1]],
    expect.stringMatching(
      /from round 1 on: training in batches of 2 × 2 accumulated instead of 4 × 1, gradient checkpointing/,
    ),
  ]);
  const journal = readFileSync(space.in("run", "journal.jsonl"), "utf8");
  expect(journal).toMatch(/"type":"memory","change":\{"round":1,"from":\{"batchSize":4,"gradAccum":1/);
}, 120_000);

test("advice names options that change something, and none where nothing is left", () => {
  const least = { batchSize: 1, gradAccum: 8, generationBatchSize: 1, gradientCheckpointing: "on" as const };
  expect(adviceInLess("runs/a", { ...least, generationBatchSize: 32 }, "evaluate")).toContain(
    "tutelage loop --resume runs/a --generation-batch-size 16 (scores and answers for 16 rows at a time instead of 32;",
  );
  expect(adviceInLess("runs/a", { ...least, gradientCheckpointing: "auto" }, "train")).toContain(
    "--resume runs/a --gradient-checkpointing on (",
  );
  expect(adviceInLess("runs/a", least, "train")).toMatch(/single rows already: .* start a run that needs less$/);
  expect(trainInLess({ batchSize: 6, gradAccum: 2, gradientCheckpointing: false })).toBe(
    " --batch-size 3 --grad-accum 4 --gradient-checkpointing on",
  );
  expect(trainInLess({ batchSize: 1, gradAccum: 1, gradientCheckpointing: false })).toBe(
    " --gradient-checkpointing on",
  );
  expect(trainInLess({ batchSize: 1, gradAccum: 4, gradientCheckpointing: true })).not.toContain("--");
});
