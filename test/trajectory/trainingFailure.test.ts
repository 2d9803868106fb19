/** @file A training that stops, by abort, for lack of memory or by numbers that are none, leaves the weights of its last whole step. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createEngine } from "../../src/runtime/createEngine.ts";
import { outOfMemory } from "../../src/runtime/runtimeErrors.ts";
import type { Engine } from "../../src/runtime/types.ts";
import type { LanguageModel } from "../../src/student/student.ts";
import { LORA, ROWS, TRAIN_OPTIONS, withFixture } from "../support/studentFiles.ts";

test("memory that runs out in the middle of a step leaves the last one, says what needs less, and half the batch goes on from there", async () => {
  await using engine = await createEngine("cpu", { threads: 1 });
  await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
    const rows = student.encodeAll(ROWS);
    const options = { ...TRAIN_OPTIONS, steps: 3, batchSize: 2, gradAccum: 2 };
    const whole = student.trainer(rows, options);
    const expected = [await whole.next(), await whole.next(), await whole.next()];
    whole.dispose();
    await student.reset();

    let checks = 0;
    let from = Infinity;
    const signal = {
      get aborted() {
        if (++checks >= from) throw outOfMemory("session 'train'", new Error("std::bad_alloc"));
        return false;
      },
    } as unknown as AbortSignal;
    const trainer = student.trainer(rows, { ...options, signal });
    await trainer.next();
    const before = await student.snapshot();
    // In the second micro-batch of step 2.
    from = checks + 3;
    await expect(trainer.next()).rejects.toMatchObject({
      code: "out-of-memory",
      message: expect.stringMatching(
        /^training on cpu, a need of about .* \(std::bad_alloc\)\. The same training in less: .*batches of 1 with 4 accumulated/,
      ) as string,
    });
    expect(await student.snapshot()).toEqual(before);
    const state = await trainer.state();
    trainer.dispose();
    const less = { ...options, batchSize: 1, gradAccum: 4, gradientCheckpointing: true };
    const rest = student.trainer(rows, less, state);
    for (const { step, loss, gradNorm } of expected.slice(1)) {
      const record = await rest.next();
      expect(record.step).toBe(step);
      expect(Math.abs(record.loss - loss)).toBeLessThan(1e-5 * loss);
      expect(Math.abs(record.gradNorm - gradNorm)).toBeLessThan(1e-4 * gradNorm);
    }
    rest.dispose();
  });
});

test.each([1, 4, 9])(
  "memory that runs out at buffer %i of a training to be begun leaves none behind, and says what needs less",
  async (nth) => {
    await using engine = await createEngine("cpu", { threads: 1 });
    await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
      const rows = student.encodeAll(ROWS);
      const before = engine.live;
      const zeros = engine.zeros.bind(engine);
      let count = 0;
      engine.zeros = (...rest) => {
        if (++count === nth) throw outOfMemory("zeros", new Error("std::bad_alloc"));
        return zeros(...rest);
      };
      expect(() => student.trainer(rows, TRAIN_OPTIONS)).toThrow(
        /^training on cpu, a need of about .* \(std::bad_alloc\)\. .* that needs less: /,
      );
      engine.zeros = zeros;
      expect(engine.live).toEqual(before);
      const trainer = student.trainer(rows, TRAIN_OPTIONS);
      expect((await trainer.next()).step).toBe(1);
      trainer.dispose();
    });
  },
);

describe.each(["cpu", "wasm"] as const)("on %s", (ep) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine(ep);
  });
  afterAll(async () => {
    expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
    await engine.dispose();
  });

  const finishes = async (student: LanguageModel): Promise<void> => {
    let last = 0;
    for await (const record of student.train(ROWS, { ...TRAIN_OPTIONS, steps: 2 })) last = record.step;
    expect(last).toBe(2);
  };

  describe("an abort", () => {
    test("between steps leaves the weights of the last step", async () => {
      await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
        const abort = new AbortController();
        const training = student.train(ROWS, { ...TRAIN_OPTIONS, signal: abort.signal });
        await training.next();
        await training.next();
        const before = await student.snapshot();
        abort.abort();
        await expect(training.next()).rejects.toMatchObject({ code: "aborted" });
        expect(await student.snapshot()).toEqual(before);
        await finishes(student);
      });
    });

    test("between micro-batches applies nothing of the step, which can then be done over", async () => {
      await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
        const rows = student.encodeAll(ROWS);
        const options = { ...TRAIN_OPTIONS, batchSize: 1, gradAccum: 4 };
        const whole = student.trainer(rows, options);
        const expected = [await whole.next(), await whole.next()];
        const end = await whole.state();
        whole.dispose();
        await student.reset();

        // Fires while the second micro-batch of step 2 is being computed.
        let checks = 0;
        let from = Infinity;
        const signal = {
          get aborted() {
            return ++checks >= from;
          },
          reason: new Error("enough"),
        } as unknown as AbortSignal;
        const trainer = student.trainer(rows, { ...options, signal });
        expect((await trainer.next()).loss).toBe(expected[0]!.loss);
        const before = await student.snapshot();
        from = checks + 4;
        await expect(trainer.next()).rejects.toMatchObject({ code: "aborted" });
        expect(trainer.step).toBe(1);
        expect(await student.snapshot()).toEqual(before);
        from = Infinity;
        expect((await trainer.next()).loss).toBe(expected[1]!.loss);
        expect(await trainer.state()).toEqual(end);
        trainer.dispose();
      });
    });

    test("before the first step changes nothing", async () => {
      await withFixture(engine, "llama-gqa-tied", { method: LORA }, async (student) => {
        const before = await student.snapshot();
        await expect(
          student.train(ROWS, { ...TRAIN_OPTIONS, signal: AbortSignal.abort() }).next(),
        ).rejects.toMatchObject({ code: "aborted" });
        expect(await student.snapshot()).toEqual(before);
      });
    });
  });

  describe("numbers that are none", () => {
    test("in the weights: the first step says so and is not applied", async () => {
      await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
        const values = new Map(await student.snapshot());
        const norm = new Float32Array(values.get("model.norm.weight")!);
        norm[5] = NaN;
        values.set("model.norm.weight", norm);
        await student.restore(values);
        await expect(student.train(ROWS, TRAIN_OPTIONS).next()).rejects.toMatchObject({
          code: "non-finite",
          details: { step: 1 },
          message: expect.stringMatching(
            /training step 1: expected a finite loss and gradient norm, got loss NaN.*was not applied.*lower learning rate/,
          ) as string,
        });
        expect(await student.snapshot()).toEqual(values);
        await student.reset();
        await finishes(student);
      });
    });

    test.each([
      ["full", {}],
      ["lora", { method: LORA }],
    ] as const)("from a huge learning rate, %s: the step that overflows is not applied", async (_name, open) => {
      await withFixture(engine, "gpt2-prefixed", open, async (student) => {
        const training = student.train(ROWS, {
          ...TRAIN_OPTIONS,
          steps: 50,
          learningRate: 1e25,
          scheduler: "constant",
          warmupSteps: 0,
        });
        let before = await student.snapshot();
        let failure: unknown;
        let done = 0;
        try {
          while ((await training.next()).done !== true) {
            before = await student.snapshot();
            done++;
          }
        } catch (error) {
          failure = error;
        }
        expect(failure).toMatchObject({ code: "non-finite", details: { step: done + 1 } });
        expect(done).toBeGreaterThan(0);
        expect(await student.snapshot()).toEqual(before);
      });
    });

    test("moments stay as they were, so that the training can go on after the cause is gone", async () => {
      await withFixture(engine, "llama-gqa-tied", {}, async (student) => {
        const rows = student.encodeAll(ROWS);
        const whole = student.trainer(rows, TRAIN_OPTIONS);
        await whole.next();
        const good = await student.snapshot();
        const second = await whole.next();
        const end = await whole.state();
        whole.dispose();
        await student.reset();

        const trainer = student.trainer(rows, TRAIN_OPTIONS);
        await trainer.next();
        await student.restore(new Map(good).set("model.norm.weight", new Float32Array(24).fill(Infinity)));
        await expect(trainer.next()).rejects.toMatchObject({ code: "non-finite" });
        await student.restore(good);
        expect((await trainer.next()).loss).toBe(second.loss);
        expect(await trainer.state()).toEqual(end);
        trainer.dispose();
      });
    });
  });
});
