/**
 * @file Models that others wrote, read from files and trained by gradient descent
 * with `gradient()`, against PyTorch's float64 losses step by step. Files and
 * values: `fixtures/makeFixtures.py`.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { exposeInitializers } from "../../src/autograd/exposeInitializers.ts";
import { gradient } from "../../src/autograd/gradient.ts";
import { decodeModel } from "../../src/onnx/model.ts";
import type { Graph, Tensor } from "../../src/onnx/types.ts";
import { openOnProvider } from "../support/ortProviders.ts";

interface Fixture {
  readonly file: string;
  readonly learningRate: number;
  readonly trainable: readonly string[];
  readonly losses: readonly number[];
  readonly inputs: Readonly<
    Record<string, { readonly shape: number[]; readonly float32?: number[]; readonly int64?: number[] }>
  >;
}

const folder = new URL("fixtures/", import.meta.url);
const FIXTURES = JSON.parse(readFileSync(new URL("fixtures.json", folder), "utf8")) as Fixture[];

function feedsOf(fixture: Fixture): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(fixture.inputs).map(([name, { shape, float32, int64 }]) => [
      name,
      int64 === undefined
        ? ({ type: "float32", shape, data: Float32Array.from(float32 ?? []) } satisfies Tensor)
        : ({ type: "int64", shape, data: BigInt64Array.from(int64, BigInt) } satisfies Tensor),
    ]),
  );
}

/** Losses before each of `steps` steps and after the last. */
async function descend(
  provider: "cpu" | "wasm",
  graph: Graph,
  initial: ReadonlyMap<string, Tensor>,
  fixture: Fixture,
): Promise<number[]> {
  const session = await openOnProvider(provider, graph, { threads: 2 });
  const weights = new Map(initial);
  const losses: number[] = [];
  for (let step = 0; step < fixture.losses.length; step++) {
    const got = await session.run({ ...feedsOf(fixture), ...Object.fromEntries(weights) });
    losses.push(got.get("loss")!.data[0]!);
    for (const [name, { shape, data }] of weights) {
      const slope = got.get(`${name}_grad`)!.data;
      weights.set(name, {
        type: "float32",
        shape,
        data: Float32Array.from(data as Float32Array, (w, i) => w - fixture.learningRate * slope[i]!),
      });
    }
  }
  await session.release();
  return losses;
}

describe.each(FIXTURES.map((fixture) => [fixture.file, fixture] as const))("%s", (file, fixture) => {
  const model = decodeModel(readFileSync(new URL(file, folder)), { dims: { batch: 3 } });
  const { graph, initial } = exposeInitializers(model, fixture.trainable);
  const training = gradient(graph, "loss", fixture.trainable);

  test("gradients have the shapes of the weights", () => {
    for (const [name, tensor] of initial) expect(training.values.get(`${name}_grad`)?.shape).toEqual(tensor.shape);
  });

  test.each(["cpu", "wasm"] as const)("gradient descent on %s follows PyTorch and learns", async (provider) => {
    const losses = await descend(provider, training, initial, fixture);
    // float32 against float64: rounding grows along the trajectory.
    losses.forEach((loss, step) =>
      expect(Math.abs(loss / fixture.losses[step]! - 1), `step ${step}`).toBeLessThan(step < 5 ? 2e-6 : 5e-5),
    );
    expect(losses.at(-1)!).toBeLessThan(losses[0]! / 4);
  });
});

test("a graph of an operator set below 11 is refused with what to do", () => {
  const model = decodeModel(readFileSync(new URL("mlp11.onnx", folder)));
  expect(() => gradient({ ...model, opsets: { "": 9 } }, "loss", ["w1"])).toThrow(
    /operator set 11 or later, got 9.*version_converter/,
  );
});
