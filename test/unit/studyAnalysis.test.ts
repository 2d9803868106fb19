/** @file A study's report holds the numbers that its runs give by hand: curves, prices, wins, tests, correlations, diagnostics. */
import { expect, test } from "vitest";
import { analyzeStudy } from "../../src/study/analyze.ts";
import { coverageEntropy, diagnose, repeatRate } from "../../src/study/diagnostics.ts";
import { evenly } from "../../src/study/evenly.ts";
import { parseStudyReport } from "../../src/study/reportSchema.ts";
import { distinctN, nearDuplicateShare } from "../../src/study/textDiversity.ts";
import { example, round, run, study } from "../support/studyRuns.ts";

/** `random` gains 20 points in two rounds, `own-loss` in one. */
const RUNS = [1, 2, 3].flatMap((seed) => [
  run({ strategy: "random", seed }, [40, 50, 60 + seed]),
  run({ strategy: "own-loss", seed }, [40, 60 + seed, 70 + seed]),
]);

test("a curve is the mean over seeds, use summed up over rounds", () => {
  const report = analyzeStudy(study(RUNS));
  const [random, ownLoss] = report.comparisons[0]?.strategies ?? [];
  expect(random?.curve[2]).toMatchObject({
    round: 2,
    examples: 20,
    teacherTokens: 1000,
    costUsd: 0.25,
    wallSeconds: 6,
  });
  expect(random?.curve[2]?.accuracy.value).toBeCloseTo(0.62, 12);
  expect(ownLoss?.curve[1]?.accuracy.value).toBeCloseTo(0.62, 12);
  const interval = random?.curve[2]?.accuracy;
  expect(interval?.n).toBe(3);
  expect(interval?.low).toBeGreaterThanOrEqual(0.61);
  expect(interval?.high).toBeLessThanOrEqual(0.63);
  // Equal values leave nothing open.
  expect(random?.curve[1]?.accuracy).toEqual({ value: 0.5, low: 0.5, high: 0.5, n: 3 });
});

test("N(τ) is read off the mean curve, and its ratio is over the reference's", () => {
  const { targets } = analyzeStudy(study(RUNS, { targets: [0.5, 0.62, 0.9] })).comparisons[0] ?? { targets: [] };
  const named = targets.map(({ strategies }) => strategies.find(({ name }) => name === "own-loss"));
  // 40 → 62 in the first ten pairs: 0.5 after 10 · 10/22.
  expect(named[0]?.examples).toBeCloseTo(100 / 22, 9);
  expect(named[0]?.ratio?.value).toBeCloseTo(10 / (100 / 22), 9);
  expect(named[1]?.examples).toBeCloseTo(10, 9);
  expect(named[1]?.ratio?.value).toBeCloseTo(2, 9);
  expect(named[2]).toEqual({ name: "own-loss", examples: null, ratio: null });
  const defaults = analyzeStudy(study(RUNS)).comparisons[0]?.targets.map(({ accuracy }) => accuracy) ?? [];
  [0.51, 0.565, 0.62].forEach((accuracy, i) => expect(defaults[i]).toBeCloseTo(accuracy, 12));
});

test("wins, ties and losses, the paired difference and its exact test", () => {
  const runs = [
    ...[60, 61, 62, 63].map((last, i) => run({ strategy: "random", seed: i }, [40, last])),
    ...[65, 61, 60, 70].map((last, i) => run({ strategy: "own-loss", seed: i }, [40, last])),
    run({ strategy: "badge", seed: 0 }, [40, 66]),
  ];
  const [first, second] = analyzeStudy(study(runs)).comparisons[0]?.matches.last ?? [];
  expect(first).toMatchObject({ a: "random", b: "own-loss", wins: 1, ties: 1, losses: 2 });
  expect(first?.difference.value).toBeCloseTo(-0.025, 12);
  // Signs of 5, 2, 7: |sum| ≥ 10 for ±(5+2+7) and ±(5−2+7) of 8 patterns.
  expect(first?.difference.p).toBe(0.5);
  expect(second?.difference).toMatchObject({ n: 1, low: null, high: null, p: 1 });
});

test("p-values are corrected over the table they stand in", () => {
  const better = Array.from({ length: 8 }, (_, seed) => [
    run({ strategy: "random", seed }, [40, 50]),
    run({ strategy: "a", seed }, [40, 51 + seed]),
    run({ strategy: "b", seed }, [40, 52 + seed]),
  ]).flat();
  const { matches, strategies } = analyzeStudy(study(better)).comparisons[0] ?? {};
  expect(matches?.last.map(({ difference }) => [difference.p, difference.pHolm])).toEqual(
    Array.from({ length: 3 }, () => [2 / 256, 6 / 256]),
  );
  expect(strategies?.map(({ versusReference }) => versusReference?.pHolm)).toEqual([undefined, 4 / 256, 4 / 256]);
});

test("over several tasks runs are paired by task and seed", () => {
  const tasks = ["sums", "puzzles"].flatMap((task) =>
    [1, 2, 3].flatMap((seed) => [
      run({ task, strategy: "random", seed }, [40, 50]),
      run({ task, strategy: "own-loss", seed }, [40, 50 + seed]),
    ]),
  );
  const [overall] = analyzeStudy(study(tasks)).overall;
  expect(overall?.matches.last).toMatchObject([{ wins: 0, ties: 0, losses: 6, difference: { n: 6, p: 2 / 64 } }]);
  expect(overall?.versusReference).toMatchObject([
    { name: "own-loss", difference: { n: 6, p: 2 / 64, pHolm: 2 / 64 } },
  ]);
  expect(overall?.versusReference[0]?.difference.value).toBeCloseTo(0.02, 12);
  expect(analyzeStudy(study(RUNS)).overall).toEqual([]);
});

test("a run that ended early keeps its last point; others are told and left out", () => {
  const runs = [
    run({ strategy: "random", seed: 1 }, [40, 50, 60]),
    run({ strategy: "random", seed: 2 }, [40, 50]),
    run({ strategy: "random", seed: 3 }, [0], { state: "failed", message: "out of memory" }),
    run({ strategy: "random", seed: 4 }, [], { state: "missing" }),
  ];
  const report = analyzeStudy(study(runs));
  expect(report.comparisons[0]?.strategies[0]?.curve.map(({ accuracy }) => accuracy.value)).toEqual([0.4, 0.5, 0.55]);
  expect(report.runs).toEqual({
    planned: 4,
    finished: 2,
    others: [
      { id: "sums.default.random.3", state: "failed", message: "out of memory" },
      { id: "sums.default.random.4", state: "missing", message: "" },
    ],
  });
  expect(report.cautions[0]).toBe("2 of 4 runs are not finished and take no part in any comparison.");
});

test("a reference that gains nothing has no default targets, and the report says what that means", () => {
  const runs = [1, 2].flatMap((seed) => [
    run({ strategy: "random", seed }, [40, 38]),
    run({ strategy: "own-loss", seed }, [40, 45]),
  ]);
  const report = analyzeStudy(study(runs));
  expect(report.comparisons[0]?.targets).toEqual([]);
  expect(report.cautions.join(" ")).toContain("With random the student ends no better than untouched in sums");
  expect(analyzeStudy(study(RUNS)).cautions.join(" ")).not.toContain("no better than untouched");
});

test("accuracy by level is a mean over runs", () => {
  const last = (seed: number) => {
    const end = round(1, 50);
    const byLevel = { easy: { n: 10, correct: 4 + seed }, hard: { n: 30, correct: 3 * seed } };
    return { ...end, evaluation: { ...end.evaluation, byLevel } };
  };
  const runs = [1, 2].map((seed) => run({ strategy: "random", seed }, [], { rounds: [round(0, 40), last(seed)] }));
  const { byLevel } = analyzeStudy(study(runs)).comparisons[0]?.strategies[0] ?? {};
  expect(byLevel?.map(({ level, questions, accuracy }) => [level, questions, accuracy.value])).toEqual([
    ["easy", 10, 0.55],
    ["hard", 30, 0.15000000000000002],
  ]);
});

test("fidelity: ρ within rounds, and of medians between them", () => {
  const rounds = (shift: number) =>
    [1, 2, 3].flatMap((index) =>
      [1, 2, 3].map((score) =>
        example(index, `q${shift}${index}${score}`, {
          seedScore: 10 * (index + shift) + score,
          score: 100 * (index + shift) - score,
        }),
      ),
    );
  const runs = [1, 2].map((seed) => run({ strategy: "random", seed }, [40, 50], { examples: rounds(3 * seed) }));
  const { fidelity } = analyzeStudy(study(runs)).comparisons[0]?.strategies[0] ?? {};
  // Items go down where seeds go up; medians rise together.
  expect(fidelity?.instance).toMatchObject({ rho: { value: -1, n: 2 }, points: 18 });
  expect(fidelity?.dataset?.points).toBe(6);
  expect(fidelity?.dataset?.rho.value).toBeCloseTo(1, 12);
  expect(fidelity?.dataset?.medians[0]).toEqual([42, 398]);
});

test("the same runs give the same report, which is what its schema says", () => {
  const report = analyzeStudy(study(RUNS));
  expect(analyzeStudy(study(RUNS))).toEqual(report);
  expect(parseStudyReport(JSON.parse(JSON.stringify(report)))).toEqual(report);
  expect(() => parseStudyReport({ ...report, seeds: "1" })).toThrow('report.json, seeds: expected Array, got "1"');
});

test("coverage, repeats, diversity", () => {
  expect(coverageEntropy(["a", "b", "c", "d"], 4)).toBeCloseTo(1, 12);
  expect(coverageEntropy(["a", "a", "a", "a"], 4)).toBe(0);
  expect(coverageEntropy(["a", "a", "b", "b"], 4)).toBeCloseTo(0.5, 12);
  expect(
    repeatRate([
      ["a", "b"],
      ["b", "c"],
      ["a", "b"],
    ]),
  ).toBe(0.75);
  expect(repeatRate([["a", "b"]])).toBeUndefined();
  expect(distinctN(["a b a b", "A b"], 1)).toBeCloseTo(2 / 6, 12);
  expect(distinctN(["a b a b", "A b"], 2)).toBe(0.5);
  expect(distinctN([""], 1)).toBeUndefined();
  expect(nearDuplicateShare(["a b c d", "a b c e", "x y z"])).toBeCloseTo(1 / 3, 12);
  expect(evenly([0, 1, 2, 3, 4, 5], 3)).toEqual([0, 2, 4]);
});

test("yield and teacher errors count what was asked, written and wrong", () => {
  const first = round(0, 40);
  const byLevel = { easy: { n: 1, correct: 1 }, hard: { n: 1, correct: 1 }, harder: { n: 1, correct: 0 } };
  const figures = diagnose(
    run({ strategy: "random", seed: 1 }, [40, 50], {
      rounds: [
        { ...first, evaluation: { ...first.evaluation, byLevel } },
        { ...round(1, 50), taught: 4, unsound: 1 },
      ],
      examples: [
        example(1, "one two"),
        example(1, "three four"),
        example(1, "five", { accepted: false, verification: "failed" }),
        example(1, "six", { accepted: false, verification: "duplicate" }),
      ],
      picks: [
        {
          type: "picks",
          round: 1,
          picks: ["a", "b", "a", "b"].map((seedId, i) => ({
            seedId,
            level: ["easy", "hard", "harder", "?"][i] ?? "",
            score: null,
            rank: null,
          })),
        },
      ],
      measures: {
        schemaVersion: 1,
        rounds: 1,
        poolSize: 8,
        poolBaseAccuracy: 0.5,
        pickedBaseAccuracy: 0.25,
        seedSimilarity: null,
        dispersion: null,
        influence: 0.5,
        sampleSize: 2,
        referenceSize: 4,
      },
    }),
  );
  expect(figures).toMatchObject({
    verificationYield: 0.5,
    teacherErrorRate: 0.25,
    duplicateRate: 0.25,
    coverage: 0.25,
    difficultyShift: -0.25,
    influence: 0.5,
    // Places 0, 1 and 2 of 2; a level without test questions has none.
    pickedLevel: 0.5,
  });
  expect(Object.keys(figures)).not.toContain("dispersion");
});
