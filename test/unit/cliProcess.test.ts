/** @file The program as people start it, in a process of its own: streams, exit status, pipes, signals. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ROOT } from "../../scripts/setup.mjs";
import { studentDirectory } from "../support/goldens.ts";
import { CPU, Workspace } from "../support/runCli.ts";
import { ROWS } from "../support/studentFiles.ts";

let space: Workspace;
beforeEach(() => {
  space = new Workspace();
});
afterEach(() => space.remove());

interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs the program; `onOut` sees stdout as it comes and may signal the process. */
function start(
  args: readonly string[],
  options: {
    readonly onOut?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
  } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [join(ROOT, "scripts", "tutelage.mjs"), ...args], { cwd: space.path });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    options.onOut?.(text, (signal) => void child.kill(signal));
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
  child.stdin.end();
  return new Promise((resolve) => child.on("close", (status) => resolve({ status, out, err })));
}

const STUDENT = studentDirectory("llama-gqa-tied");

test("records on stdout, all else on stderr, paths relative to where it runs, status 0", async () => {
  space.rows("data.jsonl", ROWS);
  const { status, out, err } = await start(["score", "--student", STUDENT, "--data", "data.jsonl", ...CPU]);
  expect(err).toMatch(/^engine: cpu/);
  expect(status).toBe(0);
  const lines = out.split("\n");
  expect(lines.pop()).toBe("");
  expect(lines.map((line) => Object.keys(JSON.parse(line) as object))).toEqual(
    ROWS.map(() => ["id", "tokens", "loss", "lossSum"]),
  );
});

test("bad input is status 2, one message, an empty stdout", async () => {
  const { status, out, err } = await start(["score", "--student", "nowhere", "--data", "nothing.jsonl"]);
  expect([status, out]).toEqual([2, ""]);
  expect(err).toBe(
    "tutelage: nothing.jsonl: expected a readable file, got ENOENT: no such file or directory, open 'nothing.jsonl'\n",
  );
});

test("a failure while training is status 1, and the output directory is not there", async () => {
  space.rows("data.jsonl", ROWS);
  const { status, err } = await start([
    "train",
    "--student",
    STUDENT,
    "--data",
    "data.jsonl",
    "--out",
    "out",
    "--steps",
    "9",
    "--lr",
    "1e30",
    "--scheduler",
    "constant",
    ...CPU,
  ]);
  expect(err).toMatch(/tutelage: training step \d: expected a finite loss/);
  expect(status).toBe(1);
  expect(space.list()).toEqual(["data.jsonl"]);
});

test("Ctrl-C ends a training in order: no output, no leftovers, status 1", async () => {
  space.rows("data.jsonl", ROWS);
  let sent = false;
  const { status, out, err } = await start(
    [
      "train",
      "--student",
      STUDENT,
      "--data",
      "data.jsonl",
      "--out",
      "out",
      "--save-state",
      "state",
      "--steps",
      "100000",
      ...CPU,
    ],
    {
      onOut: (text, kill) => {
        if (sent || !text.includes('"step":2')) return;
        sent = true;
        kill("SIGINT");
      },
    },
  );
  expect(status).toBe(1);
  const steps = out.trimEnd().split("\n").length;
  expect(err).toMatch(new RegExp(`interrupted after step ${steps} of 100000; go on with --resume-state state\n`));
  expect(space.list()).toEqual(["data.jsonl", "state"]);
});

test("a reader that closes early is no error", async () => {
  const child = spawn("sh", [
    "-c",
    `'${process.execPath}' '${join(ROOT, "scripts", "tutelage.mjs")}' --help | head -n 1`,
  ]);
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
  expect(out).toBe("Usage: tutelage COMMAND [options]\n");
});
