/** @file A whole loop from the command line with a teacher that is hostile in every named way: it ends, and only what is right by a referee's own reckoning is trained on. */
import { readFileSync } from "node:fs";
import { afterAll, expect, it } from "vitest";
import { TASK } from "../support/chatTeachers.ts";
import { HOSTILITIES, hostileTeacher } from "../support/hostileTeacher.ts";
import { CPU, runCli, Workspace } from "../support/runCli.ts";
import { refereeAnswer, wrongLine } from "../support/wordProblemReferee.ts";

const space = new Workspace();
afterAll(() => space.remove());

interface Pair {
  readonly question: string;
  readonly answer: string;
  readonly accepted: boolean;
  readonly reason: string;
}

it.each(["", "--teacher-stream"])("the loop ends well, and learns only what is right %s", async (stream) => {
  const teacher = await hostileTeacher();
  try {
    const out = space.in(`run${stream}`);
    const own = ["--teacher", "openai", "--teacher-url", teacher.url, "--teacher-model", "m", "--teacher-cache", "off"];
    const few = "--pool 20 --validation 4 --test 4 --rounds 1 --query-size 15 --per-seed 2 --epochs 1".split(" ");
    const patience = ["--teacher-retries", "1", ...(stream === "" ? [] : [stream])];
    const run = await runCli(["loop", ...few, ...own, ...patience, "--out", out, ...CPU, "--json"]);
    expect([run.status, run.err.includes("unhandled")]).toEqual([0, false]);
    for (const kind of HOSTILITIES) expect([kind, teacher.begun[kind] > 0]).toEqual([kind, true]);
    const pairs = readFileSync(`${out}/examples.jsonl`, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Pair);
    expect(pairs).toHaveLength(30);
    const accepted = pairs.filter((pair) => pair.accepted);
    for (const { question, answer } of accepted) {
      expect([answer, wrongLine(answer)]).toEqual([answer, undefined]);
      expect(Number(/^#### (\d+)$/.exec(answer.split("\n").at(-1) ?? "")?.[1])).toBe(refereeAnswer(question));
      expect(question + answer).not.toMatch(/[<>]|Ignore|kg|evil/);
    }
    expect(accepted.length).toBeGreaterThan(0);
    expect(accepted.length).toBeLessThanOrEqual(teacher.begun.honest);
    expect("correct" in {}).toBe(false);
    expect(TASK.verify({ question: "", answer: "" }).correct).toBe(false);
  } finally {
    await teacher.close();
  }
});
