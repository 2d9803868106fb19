/** @file What `tutelage train` says of memory: the estimate, the refusal, the measured peak, and options that change what is taken. */
import { existsSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { studentDirectory } from "../support/goldens.ts";
import { CPU, runCli, Workspace, type CliResult } from "../support/runCli.ts";
import { ROWS } from "../support/studentFiles.ts";

let space: Workspace;
beforeEach(() => {
  space = new Workspace();
});
afterEach(() => space.remove());

const train = (...more: readonly string[]): Promise<CliResult> =>
  runCli([
    "train",
    "--student",
    studentDirectory("qwen2-tied-f16"),
    "--data",
    space.rows("rows.jsonl", ROWS),
    ...CPU,
    "--batch-size",
    "4",
    "--steps",
    "2",
    ...more,
  ]);
const LORA = ["--method", "lora", "--lora-r", "4"] as const;

test("--estimate prints bytes by cause, trains nothing and needs no --out", async () => {
  const result = await train("--estimate", ...LORA);
  expect([result.status, result.records.length]).toEqual([0, 1]);
  const { total, provider, batch, length, gradientCheckpointing, ...causes } = result.records[0]!;
  // Rows of such different lengths go through the graph one by one.
  expect([provider, batch, length, gradientCheckpointing]).toEqual(["cpu", 1, 32, false]);
  expect(Object.keys(causes)).toEqual([
    "weights",
    "trainable",
    "moments",
    "gradients",
    "activations",
    "logits",
    "runtime",
  ]);
  expect(Object.values(causes).reduce<number>((sum, bytes) => sum + Number(bytes), 0)).toBe(total);
  expect(causes["moments"]).toBe(2 * Number(causes["trainable"]));
  expect(result.err).not.toMatch(/step|wrote/);
});

test("the estimate is told before and what was measured beside it after, on stderr and in --memory-report", async () => {
  const report = space.in("memory.json");
  const { status, err, records } = await train("--out", space.in("out"), ...LORA, "--memory-report", report);
  expect([status, records.length]).toEqual([0, 2]);
  expect(err).toMatch(/memory: about \d+ MB \(.*weights \d+ MB.*\)/);
  expect(err).toMatch(
    /memory at its fullest, of the whole process[^]* weights: estimated \d+ MB, took \d+ MB \(\+0.0 %\)[^]* total: estimated .*, Node included/,
  );
  const { provider, estimated, measured } = JSON.parse(readFileSync(report, "utf8"));
  expect([provider, measured.of]).toEqual(["cpu", "process"]);
  for (const cause of ["weights", "trainable", "moments", "gradients"])
    expect([cause, measured[cause]]).toEqual([cause, estimated[cause]]);
  const { of: _, total, ...causes } = measured;
  expect(Object.values<number>(causes).reduce((sum, bytes) => sum + bytes, 0)).toBe(total);
});

test("a --memory-report that cannot be written is refused before the first step", async () => {
  const { status, err, records } = await train("--out", space.in("out"), "--memory-report", space.in("none/m.json"));
  expect([status, records.length]).toEqual([2, 0]);
  expect(err).toMatch(/--memory-report: expected a file that can be written/);
  expect(existsSync(space.in("out"))).toBe(false);
});

test("what exceeds --memory-limit is refused before anything is written, with what would fit", async () => {
  const { status, err } = await train("--out", space.in("out"), "--memory-limit", "1MB");
  expect(status).toBe(1);
  expect(err).toMatch(
    /training on cpu: expected at most 1 MB of memory, got a need of about \d+ MB \(.*\)\. .*(fit|smaller student)/,
  );
  expect(existsSync(space.in("out"))).toBe(false);
});

test("gradient checkpointing and weights in float16 take less and learn the same", async () => {
  const plain = await train("--out", space.in("a"), ...LORA);
  const small = await train("--out", space.in("b"), ...LORA, "--gradient-checkpointing", "on", "--weights", "float16");
  expect([plain.status, small.status]).toEqual([0, 0]);
  expect(small.err).toMatch(/with gradient checkpointing/);
  small.records.forEach(({ loss }, i) => expect(loss).toBeCloseTo(Number(plain.records[i]!["loss"]), 5));
  const estimates = [];
  for (const more of [[], ["--weights", "float16"], ["--gradient-checkpointing", "on"]])
    estimates.push((await train("--estimate", ...LORA, ...more)).records[0]!);
  expect(Number(estimates[1]!["weights"])).toBeLessThan(Number(estimates[0]!["weights"]));
  expect(Number(estimates[2]!["activations"])).toBeLessThan(Number(estimates[0]!["activations"]));
});

test.each([
  [["--memory-limit", "much"], /--memory-limit: expected a size such as/],
  [["--memory-limit", "0"], /--memory-limit: expected a size such as/],
  [["--weights", "float16"], /--weights: expected --method lora beside it/],
  [["--gradient-checkpointing", "maybe"], /--gradient-checkpointing: expected one of auto, on, off/],
] as const)("%j is bad usage", async (more, message) => {
  const { status, err } = await train("--out", space.in("out"), ...more);
  expect(status).toBe(2);
  expect(err).toMatch(message);
});
