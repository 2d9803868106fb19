/**
 * @file What acquisition functions compute of rows, against PyTorch in float64, which forms
 * every gradient (`scripts/golden/reference/make_selection_goldens.py`).
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseExamples, type ExampleRow } from "../../src/formats/examples.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { openStudent, type LanguageModel } from "../../src/student/student.ts";
import { adapterDirectory, rowsPath, studentDirectory } from "../support/goldens.ts";

interface Golden {
  readonly student: string;
  readonly rows: string;
  readonly gradNorm: readonly number[];
  readonly adapterGradNorm: readonly number[];
  /** Null where an answer alone has nothing to predict. */
  readonly ifd: readonly (number | null)[];
  /** Inner products of all pairs of rows. */
  readonly hidden: readonly (readonly number[])[];
  readonly badge: readonly (readonly number[])[];
}

const GOLDENS = JSON.parse(readFileSync(new URL("selection.json", import.meta.url), "utf8")) as readonly Golden[];

/** Relative noise of float32 in norms of gradients; measured worst 2e-5. */
const NORM = 2e-4;

function expectRelative(got: number | undefined, expected: number, tolerance: number, what: string): void {
  expect(Math.abs((got ?? NaN) - expected) / Math.abs(expected), `${what}: ${got} beside ${expected}`).toBeLessThan(
    tolerance,
  );
}

describe.each(["cpu", "wasm"] as const)("on %s", (ep) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine(ep);
  });
  afterAll(async () => {
    expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
    await engine.dispose();
  });

  async function withStudent(
    golden: Golden,
    adapted: boolean,
    body: (student: LanguageModel, rows: readonly ExampleRow[]) => Promise<void>,
  ): Promise<void> {
    const student = await openStudent(engine, {
      source: directorySource(studentDirectory(golden.student)),
      ...(adapted ? { adapter: directorySource(adapterDirectory(golden.student)) } : {}),
    });
    const path = rowsPath(golden);
    try {
      await body(student, parseExamples(readFileSync(path, "utf8"), path));
    } finally {
      await student.dispose();
    }
  }

  for (const golden of GOLDENS) {
    test(`${golden.student}: gradient norms of single rows, in batches of any size`, async () => {
      await withStudent(golden, false, async (student, rows) => {
        for (const batchSize of ep === "cpu" ? [4, 1] : [4]) {
          const scores = await student.score(rows, ["gradNorm", "loss"], { batchSize });
          expect(scores).toHaveLength(golden.gradNorm.length);
          scores.forEach(({ gradNorm, id }, i) => expectRelative(gradNorm, golden.gradNorm[i]!, NORM, `row ${id}`));
        }
      });
    });

    test(`${golden.student}: gradient norms over an adapter's parameters`, async () => {
      await withStudent(golden, true, async (student, rows) => {
        const scores = await student.score(rows, ["gradNorm"], { batchSize: 4 });
        scores.forEach(({ gradNorm, id }, i) =>
          expectRelative(gradNorm, golden.adapterGradNorm[i]!, NORM, `row ${id}`),
        );
      });
    });

    test.each(["hidden", "badge"] as const)(`${golden.student}: inner products of %s embeddings`, async (kind) => {
      await withStudent(golden, false, async (student, rows) => {
        const expected = golden[kind];
        // In one block, in several that are all kept, and in several of which one is kept at a time.
        for (const options of [{}, { rowsPerBlock: 3 }, { rowsPerBlock: 4, maxKeptBytes: 0 }].slice(
          0,
          golden.student === "llama-untied" ? 3 : 1,
        )) {
          const products = await student.innerProducts(rows, kind, options);
          expect(products).toHaveLength(rows.length ** 2);
          // Products of unlike rows are small: compared with the norms of the two.
          expected.forEach((row, i) =>
            row.forEach((product, j) => {
              const scale = Math.sqrt(expected[i]![i]! * expected[j]![j]!);
              expect(Math.abs(products[i * rows.length + j]! - product), `rows ${i}, ${j}`).toBeLessThan(1e-4 * scale);
            }),
          );
        }
      });
    });

    test(`${golden.student}: the loss of answers with and without their question`, async () => {
      await withStudent(golden, false, async (student, rows) => {
        const possible = rows.filter((_, i) => golden.ifd[i] !== null);
        const expected = golden.ifd.filter((value) => value !== null);
        const scores = await student.score(possible, ["ifd"], { batchSize: 4 });
        scores.forEach(({ ifd, id }, i) => expectRelative(ifd, expected[i]!, 1e-4, `row ${id}`));
        for (const row of rows.filter((_, i) => golden.ifd[i] === null))
          await expect(student.score([row], ["ifd"])).rejects.toThrow(/ifd: expected an answer of at least 2 tokens/);
      });
    });
  }
});
