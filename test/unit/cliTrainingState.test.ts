/** @file `tutelage train` in several sittings: stopped, interrupted, resumed, it takes the steps of one that was not, and writes the same bytes. */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { studentDirectory } from "../support/goldens.ts";
import { CPU, runCli, Workspace, type CliOptions, type CliResult } from "../support/runCli.ts";
import { ROWS } from "../support/studentFiles.ts";

let space: Workspace;
let data: string;
beforeEach(() => {
  space = new Workspace();
  data = space.rows("data.jsonl", ROWS);
});
afterEach(() => space.remove());

// 10 rows in steps of 4: epochs end after steps 3 and 6, each shuffled anew.
const OPTIONS =
  "--steps 7 --batch-size 2 --grad-accum 2 --lr 2e-3 --scheduler cosine --warmup-steps 2 --weight-decay 0.1 --seed 5".split(
    " ",
  );
const METHODS = [
  ["full", "llama-gqa-tied", []],
  ["full", "gpt2-prefixed", []],
  ["lora", "llama-gqa-tied", ["--method", "lora", "--lora-r", "2"]],
] as const;

const train = (
  student: string,
  out: string,
  more: readonly string[] = [],
  options: CliOptions = {},
): Promise<CliResult> =>
  runCli(
    [
      "train",
      "--student",
      studentDirectory(student),
      "--data",
      data,
      "--out",
      space.in(out),
      ...CPU,
      ...OPTIONS,
      ...more,
    ],
    options,
  );

const withoutClock = (result: CliResult): object[] => result.records.map(({ tokensPerSecond: _, ...record }) => record);
const weightsOf = (out: string, method: string): Buffer =>
  readFileSync(space.in(out, method === "lora" ? "adapter_model.safetensors" : "model.safetensors"));

test("a training goes on in smaller batches, as one that ran out of memory must: the same steps", async () => {
  const [[, student, flags]] = METHODS;
  const whole = await train(student, "whole", flags);
  const state = space.in("state");
  expect((await train(student, "parts", [...flags, "--save-state", state, "--stop-after", "3"])).status).toBe(0);
  const smaller = ["--batch-size", "1", "--grad-accum", "4"];
  const rest = await train(student, "parts", [...flags, "--resume-state", state, ...smaller]);
  expect([rest.status, rest.records.length]).toEqual([0, 4]);
  rest.records.forEach((record, i) => {
    const expected = whole.records[i + 3]!;
    for (const key of ["loss", "gradNorm"])
      expect(Math.abs(Number(record[key]) - Number(expected[key]))).toBeLessThan(1e-4 * Number(expected[key]));
  });
});

describe.each(METHODS)("%s of %s", (method, student, flags) => {
  test("in four sittings is one in one, record by record and byte by byte", async () => {
    const whole = await train(student, "whole", flags);
    expect(whole.status).toBe(0);
    const parts: CliResult[] = [];
    for (const [i, stop] of [1, 3, 6].entries()) {
      const resume = i === 0 ? [] : ["--resume-state", space.in("state")];
      const part = await train(student, "parts", [
        ...flags,
        "--save-state",
        space.in("state"),
        "--stop-after",
        String(stop),
        ...resume,
      ]);
      expect([part.status, part.err]).toEqual([
        0,
        expect.stringMatching(
          new RegExp(`stopped after step ${stop}, .*parts not written; go on with --resume-state .*state`),
        ),
      ]);
      expect(space.list()).toEqual(["data.jsonl", "state", "whole"]);
      expect(space.list("state")).toEqual(["training_state.json", "training_state.safetensors"]);
      parts.push(part);
    }
    parts.push(await train(student, "parts", [...flags, "--resume-state", space.in("state")]));
    expect(parts.flatMap(withoutClock)).toEqual(withoutClock(whole));
    expect(weightsOf("parts", method).equals(weightsOf("whole", method))).toBe(true);
  });

  test("interrupted keeps the last whole step and nothing else, and goes on from there", async () => {
    const whole = await train(student, "whole", flags);
    const interrupted = await train(student, "out", [...flags, "--save-state", space.in("state")], {
      onOut: (text) => {
        if (text.includes('"step":3')) process.emit("SIGINT");
      },
    });
    expect(interrupted.status).toBe(1);
    expect(interrupted.err).toMatch(/interrupted after step 3 of 7; go on with --resume-state .*state\n/);
    expect(interrupted.err).toMatch(/tutelage: training: stopped by the caller\n$/);
    expect(space.list()).toEqual(["data.jsonl", "state", "whole"]);
    const rest = await train(student, "out", [...flags, "--resume-state", space.in("state")]);
    expect([...withoutClock(interrupted), ...withoutClock(rest)]).toEqual(withoutClock(whole));
    expect(weightsOf("out", method).equals(weightsOf("whole", method))).toBe(true);
  });
});

const SHORT = ["--save-state", "state", "--stop-after", "2"];
const saved = async (): Promise<void> => {
  const result = await train(
    "llama-gqa-tied",
    "out",
    SHORT.map((arg) => (arg === "state" ? space.in("state") : arg)),
  );
  expect(result.status).toBe(0);
};
const resume = (more: readonly string[] = [], student = "llama-gqa-tied"): Promise<CliResult> =>
  train(student, "out", ["--resume-state", space.in("state"), ...more]);

test("without a state directory an interrupt leaves nothing, listeners included", async () => {
  const listeners = process.listenerCount("SIGTERM");
  const result = await train("llama-gqa-tied", "out", [], { onOut: () => process.emit("SIGTERM") });
  expect(result.status).toBe(1);
  expect(result.records).toHaveLength(1);
  expect(space.list()).toEqual(["data.jsonl"]);
  expect(process.listenerCount("SIGTERM")).toBe(listeners);
});

test("--save-every keeps a state while training goes on, whatever becomes of the process", async () => {
  const seen: string[][] = [];
  const result = await train("llama-gqa-tied", "out", ["--save-state", space.in("state"), "--save-every", "3"], {
    onOut: (text) => {
      if (!/"step":[47]/.test(text)) return;
      seen.push([
        ...space.list("state"),
        (
          JSON.parse(readFileSync(space.in("state", "training_state.json"), "utf8")) as { step: number }
        ).step.toString(),
      ]);
    },
  });
  expect(result.status).toBe(0);
  expect(seen).toEqual([
    ["training_state.json", "training_state.safetensors", "3"],
    ["training_state.json", "training_state.safetensors", "6"],
  ]);
  expect(JSON.parse(readFileSync(space.in("state", "training_state.json"), "utf8"))).toMatchObject({
    step: 7,
    totalSteps: 7,
  });
  expect(space.list()).toEqual(["data.jsonl", "out", "state"]);
});

test("a state that is saved changes no step", async () => {
  const plain = await train("llama-gqa-tied", "plain");
  const watched = await train("llama-gqa-tied", "watched", ["--save-state", space.in("state"), "--save-every", "1"]);
  expect(withoutClock(watched)).toEqual(withoutClock(plain));
  expect(weightsOf("watched", "full").equals(weightsOf("plain", "full"))).toBe(true);
});

test("a constant schedule goes on beyond its first end", async () => {
  const constant = ["--scheduler", "constant"];
  const whole = await train("llama-gqa-tied", "whole", [...constant, "--steps", "7"]);
  const first = await train("llama-gqa-tied", "first", [
    ...constant,
    "--steps",
    "4",
    "--save-state",
    space.in("state"),
  ]);
  const rest = await resume([...constant, "--steps", "7"]);
  expect([...withoutClock(first), ...withoutClock(rest)]).toEqual(withoutClock(whole));
  expect(weightsOf("out", "full").equals(weightsOf("whole", "full"))).toBe(true);
});

describe("a state is refused with status 2, and nothing is written, when it belongs to", () => {
  test.each<[string, readonly string[], string, RegExp]>([
    ["another student", [], "llama-untied", /state.*(student|rows)/],
    [
      "another rate",
      ["--lr", "1"],
      "llama-gqa-tied",
      /learningRate number 0\.002, with which the state was saved, got number 1\. Give the same training options/,
    ],
    ["another seed", ["--seed", "6"], "llama-gqa-tied", /seed number 5/],
    ["another order", ["--no-shuffle"], "llama-gqa-tied", /shuffle boolean true/],
    [
      "another number of steps of a schedule that ends",
      ["--steps", "9"],
      "llama-gqa-tied",
      /totalSteps number 7.*cosine schedule/,
    ],
    ["another method", ["--method", "lora"], "llama-gqa-tied", /method string "full".*Train by the same --method/],
    [
      "steps that are done",
      ["--save-state", "{other}", "--stop-after", "2"],
      "llama-gqa-tied",
      /--stop-after: expected a step after 2, where --resume-state goes on, got 2/,
    ],
  ])("%s", async (_name, more, student, message) => {
    await saved();
    const args = more.map((arg) => (arg === "{other}" ? space.in("other") : arg));
    const result = await resume(args, student);
    expect([result.status, result.out]).toEqual([2, ""]);
    expect(result.err).toMatch(message);
    expect(space.list()).toEqual(["data.jsonl", "state"]);
  });

  test("other data, though as many rows", async () => {
    await saved();
    space.rows("data.jsonl", [...ROWS].reverse());
    const result = await resume();
    expect([result.status, result.out]).toEqual([2, ""]);
    expect(result.err).toMatch(/the number 10 rows that the state was saved for, token by token.*Give the same --data/);
  });

  test("a training that is done", async () => {
    expect((await train("llama-gqa-tied", "out", ["--save-state", space.in("state")])).status).toBe(0);
    const result = await resume();
    expect([result.status, result.out]).toEqual([2, ""]);
    expect(result.err).toMatch(/expected a state with steps left to 7, got one after step 7/);
  });

  test("no training at all: a damaged file", async () => {
    await saved();
    space.write("state/training_state.safetensors", "nonsense");
    const result = await resume();
    expect([result.status, result.out]).toEqual([2, ""]);
    expect(result.err).toMatch(/training_state\.safetensors/);
  });
});
