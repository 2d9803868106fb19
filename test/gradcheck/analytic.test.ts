/**
 * @file Every gradient rule against central differences, in float64, over random
 * shapes; and the harness against rules that are wrong on purpose.
 */
import { describe, expect, test } from "vitest";
import type { GradientRule } from "../../src/autograd/rule.ts";
import { GRADIENT_RULES } from "../../src/autograd/rules.ts";
import { checkAnalytic } from "../support/gradcheckCase.ts";
import { FAMILIES } from "./families.ts";

/** Extrapolated differences are good to ~1e-9 on these functions. */
const TOLERANCE = 1e-7;
const DRAWS = 24;
const SEEDS = Array.from({ length: DRAWS }, (_, i) => i + 1);

test("every registered rule has a family of cases, and every family a rule", () => {
  const checked = new Set(FAMILIES.map((family) => family.operator));
  expect([...GRADIENT_RULES.keys()].filter((key) => !checked.has(key))).toEqual([]);
  expect([...checked].filter((key) => !GRADIENT_RULES.has(key))).toEqual([]);
  expect(new Set(FAMILIES.map((family) => family.name)).size).toBe(FAMILIES.length);
});

describe("gradient rules agree with central differences", () => {
  test.each(FAMILIES.map((family) => [family.name, family] as const))("%s", (_name, family) => {
    let compared = 0;
    for (const seed of SEEDS) {
      for (const { what, error } of checkAnalytic(family, seed)) {
        expect(error, what).toBeLessThan(TOLERANCE);
        compared++;
      }
    }
    expect(compared).toBeGreaterThanOrEqual(DRAWS);
  });
});

describe("the check rejects a wrong rule", () => {
  const wrong: readonly (readonly [string, string, GradientRule])[] = [
    ["Tanh with 1 − y", ":Tanh", (op) => [() => op.math.mul(op.gradient(), op.math.oneMinus(op.output()))]],
    ["Add that forgets to sum over broadcast axes", ":Add", (op) => [() => op.gradient(), () => op.gradient()]],
    [
      "Mul with its gradients swapped",
      ":Mul",
      (op) => [
        () => op.reduce(0, op.math.mul(op.gradient(), op.input(0))),
        () => op.reduce(1, op.math.mul(op.gradient(), op.input(1))),
      ],
    ],
    ["Softmax without its mean", ":Softmax", (op) => [() => op.math.mul(op.gradient(), op.output())]],
    [
      "an Exp off by one part in 10⁵",
      ":Exp",
      (op) => [() => op.math.scale(op.math.mul(op.gradient(), op.output()), 1.00001)],
    ],
  ];
  test.each(wrong)("%s", (_name, operator, rule) => {
    const family = FAMILIES.find((candidate) => candidate.operator === operator)!;
    const rules = new Map([...GRADIENT_RULES, [operator, rule]]);
    const rejected = SEEDS.filter((seed) => {
      try {
        return checkAnalytic(family, seed, { rules }).some(({ error }) => !(error < TOLERANCE));
      } catch {
        return true;
      }
    });
    expect(rejected.length).toBeGreaterThan(0);
  });
});
