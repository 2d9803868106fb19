/** @file The door to a teacher: order, concurrency, rates, ceilings and the breaker, in simulated time. */
import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { Gate } from "../../src/teacher/chat/gate.ts";
import type { GateOptions, Permit } from "../../src/teacher/chat/gate.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const MOST = { promptTokens: 60, completionTokens: 40 };
const USED = { promptTokens: 6, completionTokens: 4 };
const gateOf = (change: Partial<GateOptions> = {}): Gate => new Gate({ limits: {}, concurrency: 2, ...change });

/** Enters `count` times; `done` lists the numbers of those admitted so far. */
function enterMany(
  gate: Gate,
  count: number,
): { readonly admitted: number[]; readonly permits: Permit[]; readonly refused: string[] } {
  const state = { admitted: [] as number[], permits: [] as Permit[], refused: [] as string[] };
  const enter = async (i: number): Promise<void> => {
    try {
      const permit = await gate.enter(MOST);
      state.admitted.push(i);
      state.permits.push(permit);
    } catch (error) {
      state.refused.push((error as { readonly kind: string }).kind);
    }
  };
  for (let i = 0; i < count; i++) void enter(i);
  return state;
}
const turn = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

it("admits first come, first served, as many at once as allowed", async () => {
  const gate = gateOf();
  const state = enterMany(gate, 5);
  await turn();
  expect(state.admitted).toEqual([0, 1]);
  state.permits[1]?.settle(USED, "up");
  // Settling twice gives no second place.
  state.permits[1]?.settle(USED, "up");
  await turn();
  expect(state.admitted).toEqual([0, 1, 2]);
  expect(gate.spent).toMatchObject({ requests: 3, promptTokens: 6 });
});

it("keeps requests per minute over any minute, not over calendar minutes", async () => {
  const gate = gateOf({ limits: { requestsPerMinute: 3 }, concurrency: 9 });
  const first = enterMany(gate, 2);
  await turn(50_000);
  const rest = enterMany(gate, 4);
  await turn();
  expect([first.admitted.length, rest.admitted.length]).toEqual([2, 1]);
  await turn(9_999);
  expect(rest.admitted).toHaveLength(1);
  await turn(2);
  expect(rest.admitted).toHaveLength(3);
  await turn(49_990);
  expect(rest.admitted).toHaveLength(3);
  await turn(20);
  expect(rest.admitted).toHaveLength(4);
});

it("keeps tokens per minute by what was used, and lets a request that is larger than the rate go alone", async () => {
  const gate = gateOf({ limits: { tokensPerMinute: 150 }, concurrency: 9 });
  const state = enterMany(gate, 3);
  await turn();
  expect(state.admitted).toEqual([0]);
  state.permits[0]?.settle({ promptTokens: 30, completionTokens: 20 }, "up");
  await turn();
  expect(state.admitted).toEqual([0, 1]);
  await turn(61_000);
  expect(state.admitted).toEqual([0, 1, 2]);
  const small = gateOf({ limits: { tokensPerMinute: 10 }, concurrency: 9 });
  const large = enterMany(small, 2);
  await turn();
  expect(large.admitted).toEqual([0]);
  await turn(60_001);
  expect(large.admitted).toEqual([0, 1]);
});

it("stops for good at the ceiling of minutes, and gives what is sent no longer than that", async () => {
  const gate = gateOf({ limits: { maxMinutes: 1 } });
  const state = enterMany(gate, 3);
  await turn();
  expect(state.permits[0]?.remainingMs).toBe(60_000);
  await turn(60_001);
  state.permits[0]?.settle(USED, "up");
  await turn();
  expect(state.refused).toEqual(["budget"]);
});

it("counts what an earlier session used", async () => {
  const gate = gateOf({ limits: { maxRequests: 3 } });
  gate.charge({ requests: 2, promptTokens: 1, completionTokens: 1 });
  const state = enterMany(gate, 2);
  await turn();
  expect([state.admitted, state.refused]).toEqual([[0], ["budget"]]);
});

it("sends nothing while the teacher asked to wait", async () => {
  const gate = gateOf();
  gate.pause(5_000);
  const state = enterMany(gate, 1);
  await turn(4_999);
  expect(state.admitted).toEqual([]);
  await turn(2);
  expect(state.admitted).toEqual([0]);
});

it("opens after eight failures in a row, tries one request at a time, and closes when one succeeds", async () => {
  const gate = gateOf({ concurrency: 4 });
  const state = enterMany(gate, 30);
  const failNext = async (): Promise<void> => {
    await turn();
    state.permits.shift()?.settle({ promptTokens: 0, completionTokens: 0 }, "down");
    await turn();
  };
  for (let i = 0; i < 8; i++) await failNext();
  // Those in flight with the eighth may still come back.
  while (state.permits.length > 0) await failNext();
  const before = state.admitted.length;
  await turn(4_999);
  expect(state.admitted).toHaveLength(before);
  await turn(2);
  expect(state.admitted).toHaveLength(before + 1);
  state.permits.shift()?.settle(USED, "up");
  await turn();
  expect(state.admitted).toHaveLength(before + 5);
  expect(state.refused).toEqual([]);
});

it("never exceeds any ceiling, whatever requests use and however they end", async () => {
  vi.useRealTimers();
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        maxRequests: fc.integer({ min: 0, max: 60 }),
        maxTokens: fc.integer({ min: 0, max: 3_000 }),
        maxCents: fc.integer({ min: 0, max: 60 }),
        concurrency: fc.integer({ min: 1, max: 12 }),
        seed: fc.integer(),
      }),
      async ({ maxRequests, maxTokens, maxCents, concurrency, seed }) => {
        const rng = new Rng(seed);
        const maxCostUsd = maxCents / 100_000;
        const price = { promptUsd: 1, completionUsd: 4 };
        const gate = gateOf({ limits: { maxRequests, maxTokens, maxCostUsd }, concurrency, price });
        let inFlight = 0;
        let refused = 0;
        await Promise.all(
          Array.from({ length: 80 }, async () => {
            const most = { promptTokens: rng.integer(1, 80), completionTokens: rng.integer(1, 80) };
            let permit: Permit;
            try {
              permit = await gate.enter(most);
            } catch {
              refused++;
              return;
            }
            inFlight++;
            expect(inFlight).toBeLessThanOrEqual(concurrency);
            for (let i = rng.integer(0, 5); i > 0; i--) await Promise.resolve();
            inFlight--;
            const used = {
              promptTokens: rng.integer(0, most.promptTokens),
              completionTokens: rng.integer(0, most.completionTokens),
            };
            permit.settle(rng.uniform() < 0.2 ? undefined : used, rng.uniform() < 0.1 ? "busy" : "up");
          }),
        );
        const { requests, promptTokens, completionTokens, costUsd } = gate.spent;
        expect(requests + refused).toBe(80);
        expect(requests).toBeLessThanOrEqual(maxRequests);
        expect(promptTokens + completionTokens).toBeLessThanOrEqual(maxTokens);
        expect(costUsd).toBeLessThanOrEqual(maxCostUsd + 1e-12);
      },
    ),
    { numRuns: 60 },
  );
});
