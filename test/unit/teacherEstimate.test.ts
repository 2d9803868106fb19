/** @file The estimate of what a run asks of its teacher agrees with what the run then asks, over real HTTP. */
import { existsSync } from "node:fs";
import { afterAll, afterEach, expect, it } from "vitest";
import { bothLanes, estimateRun } from "../../src/loop/estimate.ts";
import { parseExperimentConfig } from "../../src/loop/parseConfig.ts";
import { SERVED_MODEL, startTeacherServer } from "../../src/teacher/node/teacherServer.ts";
import type { TeacherServer } from "../../src/teacher/node/teacherServer.ts";
import type { TeacherEstimate } from "../../src/teacher/types.ts";
import { TASK } from "../support/chatTeachers.ts";
import { CPU, runCli, Workspace } from "../support/runCli.ts";

const space = new Workspace();
let server: TeacherServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});
afterAll(() => space.remove());

const SMALL = "--pool 20 --validation 4 --test 4 --rounds 2 --query-size 5 --per-seed 2 --epochs 1 --seed 3".split(" ");

for (const calls of ["two", "one"]) {
  it(`counts requests to the letter, tokens and money within a tenth: ${calls} calls a pair`, async () => {
    server = await startTeacherServer(TASK);
    const asked = ["--teacher", "openai", "--teacher-url", server.url, "--teacher-model", SERVED_MODEL];
    const more = ["--teacher-price", "2,8", "--teacher-calls", calls, "--teacher-cache", "off", "--json"];
    const out = space.in(calls);
    const args = ["loop", ...SMALL, ...asked, ...more, "--out", out, ...CPU];
    const estimated = await runCli([...args, "--estimate", "--estimate-latency", "3"]);
    expect([estimated.status, estimated.records.length]).toEqual([0, 1]);
    expect(existsSync(out)).toBe(false);
    expect(server.counts.requests).toBe(0);
    const estimate = estimated.records[0] as unknown as TeacherEstimate;

    const run = await runCli(args);
    expect(run.status).toBe(0);
    const used = run.records
      .slice(1)
      .map((round) => round["teacher"] as { promptTokens: number; completionTokens: number; costUsd: number });
    const sum = (part: "promptTokens" | "completionTokens" | "costUsd"): number =>
      used.reduce((total, one) => total + one[part], 0);
    expect(estimate.requests).toBe(server.counts.requests);
    expect(estimate.requests).toBe(calls === "two" ? 40 : 20);
    expect(Math.abs(estimate.promptTokens / sum("promptTokens") - 1)).toBeLessThan(0.1);
    // Questions that are made harder or simpler are longer or shorter than the pool's.
    expect(Math.abs(estimate.completionTokens / sum("completionTokens") - 1)).toBeLessThan(0.25);
    expect(Math.abs((estimate.costUsd ?? 0) / sum("costUsd") - 1)).toBeLessThan(0.1);
    // Four at once, three seconds each.
    expect(estimate.minutes).toBeCloseTo((estimate.requests * 3) / 4 / 60, 10);
  });
}

it("bounds what refills add: a teacher whose every pair is wrong is asked exactly so often", async () => {
  server = await startTeacherServer(TASK, { wrongRate: 1 });
  const asked = ["--teacher", "openai", "--teacher-url", server.url, "--teacher-model", SERVED_MODEL];
  // One call a pair: a question of the pool is found out after the call, not before the second.
  const more = ["--refills", "2", "--teacher-calls", "one", "--teacher-cache", "off", "--json"];
  const args = ["loop", ...SMALL, ...asked, ...more, "--out", space.in("refills"), ...CPU];
  const estimated = await runCli([...args, "--estimate"]);
  const { requests, atMost } = estimated.records[0] as unknown as TeacherEstimate;
  expect([requests, atMost?.requests]).toEqual([20, 60]);
  expect(estimated.err).toContain("Up to 40 more requests for rejected pairs that are asked for again");
  expect((await runCli(args)).status).toBe(0);
  expect(server.counts.requests).toBe(60);
});

it("counts judgements, waits for rates, names the ceiling that ends the run, and says nothing of built-in teachers", () => {
  const chat = { model: "m", concurrency: 4 };
  const of = (change: object, limits: object = {}): TeacherEstimate => {
    const teacher = { name: "openai", chat: { ...chat, limits, price: { promptUsd: 1, completionUsd: 1 } } };
    const config = parseExperimentConfig({
      task: { pool: 10, validation: 0, test: 2 },
      querySize: 2,
      perSeed: 1,
      teacher,
      ...change,
    });
    return estimateRun(config, TASK)!;
  };
  const plain = of({ rounds: 2 });
  expect(plain.requests).toBe(8);
  // Ten seeds in both orders, each round.
  expect(of({ rounds: 2, strategy: { name: "judge" } }).requests).toBe(8 + 2 * 2 * 10);
  expect(of({ rounds: 100 }, { requestsPerMinute: 10 }).minutes).toBeCloseTo(39, 5);
  expect(of({ rounds: 2 }, { maxRequests: 8 }).ceiling).toBeUndefined();
  expect(of({ rounds: 2 }, { maxRequests: 7 }).ceiling).toBe("requests");
  expect(of({ rounds: 2 }, { maxCostUsd: 0.0001 }).ceiling).toBe("money");
  expect(of({ rounds: 2, strategy: { name: "judge" }, query: { scores: "frozen" } }).requests).toBe(8 + 2 * 10);
  // Two more candidates in the second round.
  expect(of({ rounds: 2, strategy: { name: "judge" }, query: { candidates: "all" } }).requests).toBe(8 + 2 * (10 + 12));
  // A ceiling of three pairs: two rounds if all are accepted, every round's two if none is.
  const capped = of({ rounds: 3, budget: { examples: 3 } });
  expect([capped.requests, capped.atMost?.requests]).toEqual([6, 12]);
  expect(plain.atMost).toBeUndefined();
  const refilled = of({ rounds: 2, refills: 3 }, { maxRequests: 20 });
  expect(refilled).toMatchObject({ requests: 8, atMost: { requests: 32, ceiling: "requests" } });
  expect(refilled.ceiling).toBeUndefined();
  expect(bothLanes(plain, refilled).atMost).toMatchObject({ requests: 8 + 32, ceiling: "requests" });
  expect(bothLanes(plain, plain).atMost).toBeUndefined();
  expect(bothLanes(plain, of({ rounds: 1 }))).toMatchObject({ requests: 12, minutes: plain.minutes });
  expect(estimateRun(parseExperimentConfig({}), TASK)).toBeUndefined();
});
