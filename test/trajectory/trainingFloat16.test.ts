/**
 * @file Training with products in float16: near the float32 path on every family, resumable,
 * its loss scale found by itself, and refused where the device is wrong. ONNX Runtime's CPU
 * provider has no float16 kernels for these products: it rounds what goes in and comes out
 * to float16 and computes between in float32, so the graphs, casts and scaling are tried for
 * real here. The last test runs on a GPU with `shader-f16`, where there is one.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine, Session } from "../../src/runtime/types.ts";
import { INITIAL_SCALE } from "../../src/student/lossScale.ts";
import type { LanguageModel } from "../../src/student/student.ts";
import type { TrainerState } from "../../src/student/trainer.ts";
import type { PrecisionChoice, StepRecord, TrainOptions } from "../../src/student/types.ts";
import {
  changeTensors,
  largestDifference,
  LORA,
  ROWS,
  sourceOf,
  studentFiles,
  TRAIN_OPTIONS,
  withFixture,
} from "../support/studentFiles.ts";
import { openStudent } from "../../src/student/student.ts";

let cpu: Engine;
/** The cpu engine, but for what it says of itself. */
let engine: Engine;
beforeAll(async () => {
  cpu = await createEngine("cpu", { threads: 1 });
  engine = dressed(cpu);
});
afterAll(async () => {
  expect(cpu.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
  await cpu.dispose();
});

/** `engine` as one with float16 products; `spoil` may change what its sessions give. */
function dressed(real: Engine, spoil?: (session: Session) => Session): Engine {
  return new Proxy(real, {
    get(target, key) {
      if (key === "ep") return "webgpu";
      if (key === "info") return { ...target.info, features: ["shader-f16"] };
      if (key === "createSession" && spoil !== undefined)
        return async (...args: Parameters<Engine["createSession"]>) => spoil(await target.createSession(...args));
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? (value as () => unknown).bind(target) : value;
    },
  });
}

interface Run {
  readonly steps: readonly StepRecord[];
  readonly state: TrainerState;
  readonly choice: PrecisionChoice | undefined;
}

async function train(
  student: LanguageModel,
  over: Partial<TrainOptions>,
  until = 5,
  from?: TrainerState,
): Promise<Run> {
  const trainer = student.trainer(student.encodeAll(ROWS), { ...TRAIN_OPTIONS, ...over }, from);
  try {
    const steps: StepRecord[] = [];
    while (trainer.step < until) steps.push(await trainer.next());
    return { steps, state: await trainer.state(), choice: steps[0]?.precision };
  } finally {
    trainer.dispose();
  }
}

const numbers = ({ steps, state }: Run): unknown => [
  steps.map(({ tokensPerSecond: _, precision: __, ...step }) => step),
  [...state.parameters].map(([name, values]) => [name, [...values]]),
];

test.each(["llama-gqa-tied", "gpt2-hub-names", "qwen3-sliding-new-config", "gemma2", "gpt-neox-parallel", "phi"])(
  "%s goes nearly the way of float32, and not exactly",
  async (name) => {
    for (const method of [undefined, LORA]) {
      await withFixture(engine, name, method === undefined ? {} : { method, seed: 2 }, async (student) => {
        const reference = await train(student, { gradAccum: 2 });
        await student.reset();
        const half = await train(student, { gradAccum: 2, precision: "float16" });
        expect(half.choice?.precision).toBe("float16");
        expect(half.choice?.reason).toMatch(/^float16 agrees with float32: loss to \S+ and gradients to \S+ relative$/);
        half.steps.forEach((step, i) => {
          const other = reference.steps[i]!;
          expect([step.step, step.lr, step.tokens]).toEqual([other.step, other.lr, other.tokens]);
          expect(Math.abs(step.loss / other.loss - 1)).toBeLessThan(2e-3);
          expect(Math.abs(step.gradNorm / other.gradNorm - 1)).toBeLessThan(1e-2);
        });
        const difference = largestDifference(half.state.parameters, reference.state.parameters);
        expect(difference).toBeGreaterThan(0);
        // Five steps of AdamW at 1e-3 move a parameter by 4e-3 at most, whatever its gradient.
        expect(difference).toBeLessThan(4e-3);
      });
    }
  },
);

test("stops and goes on to the same numbers, loss scale included", async () => {
  await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
    const whole = await train(student, { precision: "float16" });
    await student.reset();
    const first = await train(student, { precision: "float16" }, 2);
    expect(first.state.lossScale).toEqual({ scale: INITIAL_SCALE, goodSteps: 2 });
    const rest = await train(student, { precision: "float16" }, 5, first.state);
    expect(numbers({ ...rest, steps: [...first.steps, ...rest.steps] })).toEqual(numbers(whole));
    expect(rest.state.lossScale).toEqual({ scale: INITIAL_SCALE, goodSteps: 5 });
  });
});

test("computes the same when activations are computed twice", async () => {
  await withFixture(engine, "llama-gqa-tied", { method: LORA, seed: 2 }, async (student) => {
    const kept = await train(student, { precision: "float16" });
    await student.reset();
    const twice = await train(student, { precision: "float16", gradientCheckpointing: true });
    expect(numbers(twice)).toEqual(numbers(kept));
  });
});

test("a scale that overflows float16 is halved until it does not, and no step is lost", async () => {
  const files = changeTensors(studentFiles("llama-gqa-tied"), "model.safetensors", (tensors) => {
    // Steeper logits: larger gradients.
    const norm = tensors.get("model.norm.weight")!;
    return tensors.set("model.norm.weight", { ...norm, data: (norm.data as Float32Array).map((value) => value * 40) });
  });
  const student = await openStudent(engine, { source: sourceOf(files) });
  try {
    const reference = await train(student, { learningRate: 1e-5 });
    await student.reset();
    const half = await train(student, { learningRate: 1e-5, precision: "float16" });
    expect(half.steps).toHaveLength(5);
    expect(half.state.lossScale?.scale).toBeLessThan(INITIAL_SCALE);
    half.steps.forEach(({ loss, gradNorm }, i) => {
      expect(Math.abs(loss / reference.steps[i]!.loss - 1)).toBeLessThan(1e-2);
      expect(Math.abs(gradNorm / reference.steps[i]!.gradNorm - 1)).toBeLessThan(5e-2);
    });
  } finally {
    await student.dispose();
  }
});

describe("a device whose float16 is wrong", () => {
  /** Every tenth value of what float16 graphs give is nothing. */
  const spoil = (session: Session): Session =>
    session.name.includes("float16")
      ? new Proxy(session, {
          get(target, key) {
            const value: unknown = Reflect.get(target, key, target);
            if (key !== "run") return typeof value === "function" ? (value as () => unknown).bind(target) : value;
            return async (...args: Parameters<Session["run"]>) => {
              const result = await target.run(...args);
              return {
                ...result,
                device: result.device.bind(result),
                host(name: string) {
                  const tensor = result.host(name);
                  const data = (tensor.data as Float32Array).map((value, i) => (i % 10 === 9 ? 0 : value));
                  return { ...tensor, data };
                },
              };
            };
          },
        })
      : session;

  test("is told with what was measured, and nothing was trained", async () => {
    await withFixture(dressed(cpu, spoil), "llama-gqa-tied", {}, async (student) => {
      const before = await student.snapshot();
      await expect(train(student, { precision: "float16" })).rejects.toMatchObject({
        code: "device-refused",
        message: expect.stringMatching(
          /^training in float16: float16 differs from float32: loss to .* Train in float32$/,
        ),
      });
      expect(largestDifference(await student.snapshot(), before)).toBe(0);
    });
  });

  test("with auto trains in float32, and says why", async () => {
    await withFixture(dressed(cpu, spoil), "llama-gqa-tied", {}, async (student) => {
      const reference = await train(student, {});
      await student.reset();
      const run = await train(student, { precision: "auto" });
      expect(run.choice?.precision).toBe("float32");
      expect(run.choice?.reason).toContain("float16 differs from float32");
      expect(numbers(run)).toEqual(numbers(reference));
      expect(run.state.lossScale).toBeUndefined();
    });
  });
});

test("a provider without float16 products refuses, and with auto says what it lacks", async () => {
  await withFixture(cpu, "llama-gqa-tied", {}, async (student) => {
    await expect(train(student, { precision: "float16" })).rejects.toThrow(
      "training in float16: expected a GPU with the feature shader-f16, got the provider cpu, which computes in float32. Train in float32",
    );
    const run = await train(student, { precision: "auto" }, 1);
    expect(run.choice).toEqual({ precision: "float32", reason: expect.stringContaining("shader-f16") as unknown });
  });
});

test("on a GPU with shader-f16 the device agrees and trains", async ({ skip }) => {
  const gpu = await createEngine("webgpu");
  try {
    if (!gpu.info.features?.includes("shader-f16")) skip(`${gpu.info.adapter ?? "the adapter"} has no shader-f16`);
    await withFixture(gpu, "llama-gqa-tied", {}, async (student) => {
      const run = await train(student, { precision: "float16" }, 2);
      expect(run.choice?.precision).toBe("float16");
      expect(run.steps[1]!.loss).toBeLessThan(run.steps[0]!.loss * 1.2);
    });
  } finally {
    await gpu.dispose();
  }
});
