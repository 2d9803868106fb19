/** @file The page's one reducer, on records of a real closed loop and on records made to hurt. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { acceptedPairs, EMPTY_LANE, LIMITS, reduceRecords } from "../../src/app/laneState.ts";
import type { LoopRecord, SyntheticExample } from "../../src/loop/records.ts";
import { collect, ofType, sumsConfig, sumsDeps } from "../support/loopRuns.ts";
import { sumsTeacher } from "../support/sums.ts";

const NO_USAGE = { requests: 0, promptTokens: 0, completionTokens: 0, costUsd: 0, durationMs: 0 };

const records = await collect(
  sumsConfig({ strategy: { name: "own-loss" } }),
  await sumsDeps({ showPool: true, teacher: sumsTeacher({ errorRate: 0.3 }) }),
);

function step(round: number, number: number, loss: number, totalSteps = 1000): LoopRecord {
  return { type: "step", round, totalSteps, step: number, loss, gradNorm: 1, lr: 1, tokens: 1, tokensPerSecond: 100 };
}

function example(id: string, round: number, accepted: boolean, question = "q"): SyntheticExample {
  return {
    id,
    round,
    seedId: "s",
    operation: "vary",
    question,
    answer: "a",
    accepted,
    verification: accepted ? "passed" : "failed",
    reason: "",
    usage: NO_USAGE,
  };
}

test("a whole run ends with its summaries, last pool, picks and pairs", () => {
  const lane = reduceRecords(EMPTY_LANE, records);
  const summaries = ofType(records, "round").map(({ summary }) => summary);
  expect(lane.done).toBe(true);
  expect(lane.rounds).toEqual(summaries);
  expect(lane.pool).toEqual(ofType(records, "pool").at(-1)?.items);
  expect([...lane.picks.keys()]).toEqual(
    ofType(records, "picks")
      .at(-1)
      ?.picks.map(({ seedId }) => seedId),
  );
  expect(lane.examples.map(({ id }) => id)).toEqual(
    ofType(records, "example")
      .map((record) => record.example.id)
      .reverse()
      .slice(0, LIMITS.examples),
  );
  expect(lane.losses.map(({ round }) => round)).toEqual([1, 2, 3]);
  expect(lane.losses.map(({ lastStep }) => lastStep)).toEqual(summaries.slice(1).map(({ steps }) => steps));
  expect(summaries.at(-1)?.rejected).toBeGreaterThan(0);
});

test("accepted pairs count the unfinished round, and agree with the summary once it ends", () => {
  const end = records.findIndex((record) => record.type === "round" && record.summary.round === 2);
  const before = reduceRecords(EMPTY_LANE, records.slice(0, end));
  const after = reduceRecords(EMPTY_LANE, records.slice(0, end + 1));
  expect(before.rounds.at(-1)?.round).toBe(1);
  expect(acceptedPairs(before)).toBe(after.rounds.at(-1)?.examples);
  expect(acceptedPairs(after)).toBe(after.rounds.at(-1)?.examples);
});

test("records folded again change nothing: a resumed run may tell its history twice", () => {
  const strip = ({ tokensPerSecond: _speed, ...lane }: typeof EMPTY_LANE): unknown => lane;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: records.length }), (cut) => {
      const once = reduceRecords(EMPTY_LANE, records.slice(0, cut));
      expect(strip(reduceRecords(once, records.slice(0, cut)))).toEqual(strip(once));
    }),
    { numRuns: 25 },
  );
});

test("how records are batched does not matter, and no state is changed in place", () => {
  const whole = reduceRecords(EMPTY_LANE, records);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: records.length }), { maxLength: 6 }), (cuts) => {
      const ends = [...cuts, 0, records.length].sort((a, b) => a - b);
      let lane = EMPTY_LANE;
      for (let i = 1; i < ends.length; i++) {
        const batch = records.slice(ends[i - 1], ends[i]);
        const frozen = JSON.stringify(lane);
        const next = reduceRecords(lane, batch);
        expect(JSON.stringify(lane)).toBe(frozen);
        lane = next;
      }
      expect(lane).toEqual(whole);
    }),
    { numRuns: 25 },
  );
  expect(EMPTY_LANE.rounds).toEqual([]);
});

test("another run's line starts from nothing; the same run's keeps the screen", () => {
  const run = ofType(records, "run")[0];
  if (run === undefined) throw new Error("no run line");
  const lane = reduceRecords(EMPTY_LANE, records);
  expect(reduceRecords(lane, [{ ...run, resumedAtRound: 3 }]).rounds).toBe(lane.rounds);
  const other = reduceRecords(lane, [{ ...run, runId: "another" }]);
  expect(other).toEqual({ ...EMPTY_LANE, run: other.run, round: 0 });
  expect(other.run?.runId).toBe("another");
});

test("a round that is trained again replaces its losses from that step on", () => {
  const lane = reduceRecords(EMPTY_LANE, [step(1, 1, 5), step(1, 2, 4), step(1, 3, 3), step(1, 2, 9)]);
  expect(lane.losses[0]?.points.map(({ step: number, loss }) => [number, loss])).toEqual([
    [1, 5],
    [2, 9],
  ]);
});

test("thinned losses keep the mean of all steps and the last step's own loss", () => {
  const losses = Array.from({ length: 5 * LIMITS.lossPoints + 3 }, (_, i) => Math.sin(i) + 2);
  const lane = reduceRecords(
    EMPTY_LANE,
    losses.map((loss, i) => step(1, i + 1, loss)),
  );
  const points = lane.losses[0]?.points ?? [];
  expect(points.length).toBeLessThanOrEqual(LIMITS.lossPoints);
  expect(points.length).toBeGreaterThan(LIMITS.lossPoints / 2);
  const count = points.reduce((sum, point) => sum + point.count, 0);
  const mean = points.reduce((sum, point) => sum + point.loss * point.count, 0) / count;
  expect(count).toBe(losses.length);
  expect(mean).toBeCloseTo(losses.reduce((sum, loss) => sum + loss, 0) / losses.length, 10);
  expect(lane.losses[0]?.lastLoss).toBe(losses.at(-1));
});

test("memory is bounded whatever arrives, text included", () => {
  const huge = "x".repeat(1_000_000);
  const flood: LoopRecord[] = [];
  for (let i = 0; i < 3000; i++) {
    flood.push({ type: "example", example: example(`e${i}`, 1, i % 2 === 0, huge) });
    flood.push({ type: "warning", code: `w${i}`, message: huge });
    flood.push(step(1 + Math.floor(i / 50), i, Number.NaN));
  }
  flood.push({
    type: "pool",
    round: 1,
    items: Array.from({ length: 5000 }, (_, i) => ({
      id: `${i}`,
      question: huge,
      answer: huge,
      level: "l",
      ownAnswer: huge,
      correct: false,
    })),
  });
  const lane = reduceRecords(EMPTY_LANE, flood);
  expect(lane.examples).toHaveLength(LIMITS.examples);
  expect(lane.warnings).toHaveLength(LIMITS.warnings);
  expect(lane.losses.length).toBeLessThanOrEqual(LIMITS.lossRounds);
  expect(lane.pool).toHaveLength(LIMITS.poolItems);
  for (const item of lane.pool.slice(0, 5))
    for (const text of [item.question, item.answer, item.ownAnswer ?? ""])
      expect(text.length).toBeLessThan(LIMITS.textLength + 40);
  expect(lane.tally).toMatchObject({ accepted: 1500, rejected: 1500 });
});

test("the same warning is told once", () => {
  const warning: LoopRecord = { type: "warning", code: "c", message: "m" };
  expect(reduceRecords(EMPTY_LANE, [warning, warning]).warnings).toHaveLength(1);
});

test("a speed that is no number leaves the last one", () => {
  const first = reduceRecords(EMPTY_LANE, [step(1, 1, 1)]);
  const second: LoopRecord = {
    ...(step(1, 2, 1) as Extract<LoopRecord, { type: "step" }>),
    tokensPerSecond: Number.POSITIVE_INFINITY,
  };
  expect(reduceRecords(first, [second]).tokensPerSecond).toBe(100);
});

test("a step of training keeps everything that is drawn from other records as it is, itself", () => {
  const lane = reduceRecords(EMPTY_LANE, records);
  const next = reduceRecords(lane, [step(3, 999, 1)]);
  expect(next.losses).not.toBe(lane.losses);
  for (const key of ["pool", "picks", "children", "rounds", "examples", "warnings", "run"] as const)
    expect(next[key], key).toBe(lane[key]);
  // Losses of rounds that are over are the same objects: their drawing is kept.
  expect(next.losses.slice(0, -1).every((losses, i) => losses === lane.losses[i])).toBe(true);
});
