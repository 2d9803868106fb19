/** @file Chat teachers over real HTTP on loopback while a fifth of the requests fail: what is counted, what is bounded, what stops. */
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { TeacherError } from "../../src/teacher/teacherError.ts";
import { startTeacherServer } from "../../src/teacher/node/teacherServer.ts";
import type { ServedRequest, TeacherServer, TeacherServerOptions } from "../../src/teacher/node/teacherServer.ts";
import type { TeacherReply, TeacherUsage } from "../../src/teacher/types.ts";
import { addUsage, NO_USAGE } from "../../src/teacher/usage.ts";
import { chatTeacher, seeds, TASK } from "../support/chatTeachers.ts";

let server: TeacherServer | undefined;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", note);
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

async function serve(options: TeacherServerOptions = {}): Promise<string> {
  server = await startTeacherServer(TASK, options);
  return server.url;
}

const [SEED] = seeds(1);

/** With what is tried again, a good thousand requests. */
const ITEMS = 850;

/** A `fetch` that numbers what is sent, in a header that the server notes, and notes which ended before any reply because their time was over. */
function notedFetch(): { readonly fetch: typeof fetch; readonly sent: string[]; readonly timedOut: Set<string> } {
  const sent: string[] = [];
  const timedOut = new Set<string>();
  return {
    sent,
    timedOut,
    fetch: async (input, init) => {
      const id = `request ${sent.length}`;
      sent.push(id);
      const headers = new Headers(init?.headers);
      headers.set("x-client-request-id", id);
      try {
        return await fetch(input, { ...init, headers });
      } catch (error) {
        if (init?.signal?.aborted === true) timedOut.add(id);
        throw error;
      }
    },
  };
}

/** Every outcome of `count` answers, all asked for at once. */
async function askMany(
  teacher: ReturnType<typeof chatTeacher>,
  count: number,
): Promise<{ readonly ok: number; readonly failed: TeacherError[]; readonly usage: TeacherUsage }> {
  let usage = NO_USAGE;
  const failed: TeacherError[] = [];
  let ok = 0;
  await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      try {
        const reply: TeacherReply<unknown> = await teacher.answer(SEED!.question, { rng: new Rng(i), example: SEED! });
        usage = addUsage(usage, reply.usage);
        ok++;
      } catch (error) {
        expect(error).toBeInstanceOf(TeacherError);
        failed.push(error as TeacherError);
        usage = addUsage(usage, (error as TeacherError).usage ?? NO_USAGE);
      }
    }),
  );
  return { ok, failed, usage };
}

describe("a chat teacher that fails a fifth of the time", () => {
  for (const stream of [false, true]) {
    it(`answers or gives up every item exactly once, and counts every request (${stream ? "streamed" : "whole"})`, async () => {
      const seen: (string | undefined)[] = [];
      const onRequest = ({ clientRequestId }: ServedRequest): void => void seen.push(clientRequestId);
      const url = await serve({ failRate: 0.2, retryAfterSeconds: 0.02, seed: 3, onRequest });
      const { fetch, sent, timedOut } = notedFetch();
      const teacher = chatTeacher({ url, stream, concurrency: 12, timeoutSeconds: 2, retries: 1 }, { fetch });
      const { ok, failed, usage } = await askMany(teacher, ITEMS);
      const { requests, answered, faults } = server!.counts;
      expect(ok + failed.length).toBe(ITEMS);
      // A slow machine may let a whole answer arrive after its time.
      expect(answered).toBeGreaterThanOrEqual(ok);
      // Two tries at 20 %: about 4 % of the items are lost.
      expect(failed.length).toBeGreaterThan(0);
      expect(failed.length).toBeLessThan(ITEMS / 10);
      // One request counted is one request sent; each reached the server once, or its time was over before it was read.
      expect([teacher.spent.requests, usage.requests]).toEqual([sent.length, sent.length]);
      expect(requests).toBe(seen.length);
      expect(new Set(seen).size).toBe(seen.length);
      const arrived = new Set(seen);
      const unread = sent.filter((id) => !arrived.has(id));
      expect(unread).toHaveLength(sent.length - seen.length);
      expect(unread.filter((id) => !timedOut.has(id))).toEqual([]);
      expect(requests).toBeGreaterThan(1000);
      expect(Object.keys(faults).sort()).toEqual(["429", "500", "malformed", "reset", "timeout", "truncated"]);
      for (const error of failed) expect(error.passing).toBe(true);
    });
  }

  it("never sends one request over a ceiling of requests, retries included", async () => {
    const url = await serve({ failRate: 0.2, faults: ["500", "reset", "malformed"], seed: 4 });
    const { fetch, sent } = notedFetch();
    const teacher = chatTeacher({ url, concurrency: 16, timeoutSeconds: 60, limits: { maxRequests: 60 } }, { fetch });
    const { ok, failed } = await askMany(teacher, 200);
    expect([sent.length, server!.counts.requests]).toEqual([60, 60]);
    expect(ok).toBeGreaterThan(30);
    expect(ok + failed.length).toBe(200);
    expect(failed.every(({ kind }) => kind === "budget")).toBe(true);
  });

  it("never spends over ceilings of tokens and money, requests in flight included", async () => {
    const url = await serve({ failRate: 0.2, faults: ["500", "truncated"], seed: 5, latencyMs: 4 });
    const price = { promptUsd: 2, completionUsd: 10 };
    const byTokens = chatTeacher({ url, concurrency: 16, limits: { maxTokens: 20_000 } });
    const tokens = await askMany(byTokens, 150);
    expect(tokens.usage.promptTokens + tokens.usage.completionTokens).toBeLessThanOrEqual(20_000);
    // A request reserves up to 1,300 tokens and uses 250: the ceiling is used well all the same.
    expect(tokens.usage.promptTokens + tokens.usage.completionTokens).toBeGreaterThan(17_000);
    const byMoney = chatTeacher({ url, concurrency: 16, price, limits: { maxCostUsd: 0.05 } });
    const money = await askMany(byMoney, 150);
    expect(money.usage.costUsd).toBeLessThanOrEqual(0.05);
    expect(money.usage.costUsd).toBeGreaterThan(0.04);
    expect(byMoney.spent.costUsd).toBeCloseTo(money.usage.costUsd, 10);
    for (const { kind } of [...tokens.failed, ...money.failed]) expect(["budget", "malformed"]).toContain(kind);
  });

  it("keeps nobody waiting and no request running after an abort", async () => {
    const url = await serve({ failRate: 1, faults: ["timeout"] });
    const teacher = chatTeacher({ url, concurrency: 2 });
    const abort = new AbortController();
    const calls = [0, 1, 2, 3].map((i) => teacher.propose(SEED!, "vary", { rng: new Rng(i), signal: abort.signal }));
    await expect.poll(() => server!.counts.requests, { timeout: 60_000 }).toBe(2);
    abort.abort(new Error("enough"));
    for (const outcome of await Promise.allSettled(calls))
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "aborted" } });
    expect(server!.counts.requests).toBe(2);
    expect(getEventListeners(abort.signal, "abort")).toEqual([]);
  });

  it("leaves nothing behind at the signal of a run, however many requests it made", async () => {
    const url = await serve({ failRate: 0.3, faults: ["500", "reset"], retryAfterSeconds: 0.01, seed: 6 });
    const teacher = chatTeacher({ url, concurrency: 4, retries: 1 });
    const { signal } = new AbortController();
    const calls = Array.from({ length: 8 }, (_, i) => teacher.propose(SEED!, "vary", { rng: new Rng(i), signal }));
    await Promise.allSettled(calls);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("gives up on a teacher that is gone, quickly, and says so to every item", async () => {
    const url = await serve({ failRate: 1, faults: ["500"] });
    const teacher = chatTeacher({ url, concurrency: 4, retries: 10 });
    const { failed } = await askMany(teacher, 40);
    expect(failed).toHaveLength(40);
    expect(failed.every(({ kind }) => kind === "unavailable")).toBe(true);
    // Eight failures, three probes, and what was in flight with the eighth.
    expect(server!.counts.requests).toBeLessThan(20);
  });

  it("waits as long as Retry-After says before any further request", async () => {
    const url = await serve({ rateLimit: 3 });
    const teacher = chatTeacher({ url, concurrency: 1, retries: 1, timeoutSeconds: 60 });
    const { ok } = await askMany(teacher, 3);
    expect(ok).toBe(3);
    const abort = new AbortController();
    const waiting = Promise.allSettled([teacher.propose(SEED!, "vary", { rng: new Rng(9), signal: abort.signal })]);
    await expect.poll(() => server!.counts.requests, { timeout: 60_000 }).toBe(4);
    await new Promise((resolve) => setTimeout(resolve, 400));
    // One refused request, then silence until the minute is over.
    expect(server!.counts.requests).toBe(4);
    abort.abort();
    expect(await waiting).toMatchObject([{ status: "rejected", reason: { code: "aborted" } }]);
  });
});

describe("a hostile teacher", () => {
  for (const fault of ["html", "huge", "endless"] as const) {
    for (const stream of [false, true]) {
      it(`costs its item and nothing else: ${fault} ${stream ? "streamed" : "whole"}`, async () => {
        const url = await serve({ failRate: 1, faults: [fault] });
        const teacher = chatTeacher({ url, stream, retries: 0, timeoutSeconds: 1.5 });
        const { failed } = await askMany(teacher, 2);
        expect(failed).toHaveLength(2);
        for (const { kind, message } of failed) {
          expect(["malformed", "reply", "timeout"]).toContain(kind);
          expect(message.length).toBeLessThan(500);
        }
      });
    }
  }
});
