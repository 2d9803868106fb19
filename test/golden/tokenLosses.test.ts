/**
 * @file What people look at answers by: losses of single tokens against PyTorch in float64, and the
 * principal plane of a cloud against numpy (`scripts/golden/reference/make_token_loss_goldens.py`).
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { principalPlane, projectOnto } from "../../src/core/principalComponents.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { openStudent } from "../../src/student/student.ts";
import type { PromptCompletion } from "../../src/student/types.ts";
import { goldenRows, loadGolden, studentDirectory } from "../support/goldens.ts";

interface Golden {
  readonly students: Readonly<Record<string, readonly { readonly row: number; readonly losses: readonly number[] }[]>>;
  readonly plane: {
    readonly points: readonly (readonly number[])[];
    readonly mean: readonly number[];
    readonly axes: readonly (readonly number[])[];
    readonly explained: readonly number[];
    readonly places: readonly (readonly [number, number])[];
  };
}

const GOLDEN = JSON.parse(readFileSync(new URL("tokenLosses.json", import.meta.url), "utf8")) as Golden;

/** Float32 against float64, nats; measured worst 7e-6. */
const NATS = 1e-4;

describe.each(["cpu", "wasm"] as const)("on %s", (ep) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine(ep);
  });
  afterAll(() => engine.dispose());

  test.each(Object.keys(GOLDEN.students))(
    "losses of %s's tokens are PyTorch's, and their texts the answer",
    async (name) => {
      const rows = goldenRows(loadGolden(name));
      const student = await openStudent(engine, { source: directorySource(studentDirectory(name)) });
      try {
        for (const { row, losses } of GOLDEN.students[name] ?? []) {
          const { prompt, completion } = rows[row] as PromptCompletion;
          const tokens = await student.tokenLosses({ prompt, completion });
          expect(tokens.length, `row ${row}`).toBe(losses.length);
          tokens.forEach(({ lossNats }, i) => {
            expect(Math.abs(lossNats - (losses[i] ?? NaN)), `row ${row}, token ${i}`).toBeLessThan(NATS);
          });
          expect(tokens.map(({ end }) => end)).toEqual(losses.map((_, i) => i === losses.length - 1));
          const { tokenizer } = student.model;
          const { ids } = student.encode({ prompt, completion });
          const start = ids.length - losses.length;
          expect(tokens.map(({ text, end }) => (end ? "" : text)).join(""), `row ${row}`).toBe(
            tokenizer.decodeContinuation(ids.slice(0, start), ids.slice(start, -1)),
          );
        }
      } finally {
        await student.dispose();
      }
    },
  );
});

test("the principal plane of a cloud is numpy's", () => {
  const { points, mean, axes, explained, places } = GOLDEN.plane;
  const cloud = points.map((point) => Float64Array.from(point));
  const plane = principalPlane(cloud);
  mean.forEach((value, d) => expect(plane.mean[d]).toBeCloseTo(value, 10));
  axes.forEach((axis, i) => axis.forEach((value, d) => expect(plane.axes[i]?.[d]).toBeCloseTo(value, 4)));
  explained.forEach((value, i) => expect(plane.explained[i]).toBeCloseTo(value, 8));
  cloud.forEach((point, i) => {
    const [x, y] = projectOnto(plane, point);
    expect(x).toBeCloseTo(places[i]?.[0] ?? NaN, 3);
    expect(y).toBeCloseTo(places[i]?.[1] ?? NaN, 3);
  });
});

test("a plane through points that are all the same, or on a line, is a plane all the same", () => {
  const same = principalPlane([1, 2, 3].map(() => Float64Array.of(4, 5, 6)));
  expect(same.explained).toEqual([0, 0]);
  expect(projectOnto(same, Float64Array.of(4, 5, 6))).toEqual([0, 0]);
  const line = principalPlane([0, 1, 2, 3].map((t) => Float64Array.of(t, 2 * t, 5)));
  expect(line.explained[0]).toBeCloseTo(1, 12);
  expect(line.axes[0][1]! / line.axes[0][0]!).toBeCloseTo(2, 8);
  expect(Number.isFinite(line.axes[1][0])).toBe(true);
});
