/**
 * @file Generation on fixture students: the two ways of running choose the same tokens,
 * batches and padding change nothing, sampled tokens come as often as they should, and
 * everything that cannot be generated is refused.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { generateTokens, type GeneratedTokens } from "../../src/student/generate.ts";
import { layoutParameters } from "../../src/student/parameterLayout.ts";
import { ParameterStore } from "../../src/student/parameterStore.ts";
import { SessionCache } from "../../src/student/sessionCache.ts";
import type { LanguageModel } from "../../src/student/student.ts";
import type { GenerateOptions } from "../../src/student/types.ts";
import { exactDistribution, expectFrequencies } from "../support/distributions.ts";
import { withFixture } from "../support/studentFiles.ts";

const MODES = ["steps", "whole"] as const;
type Mode = (typeof MODES)[number];

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine("cpu", { threads: 1 });
});
afterAll(async () => {
  expect(engine.live).toEqual({ tensors: 0, bytes: 0, sessions: 0 });
  await engine.dispose();
});

type Generate = (
  mode: Mode,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
  eosTokenIds?: readonly number[],
) => Promise<GeneratedTokens[]>;

/** What a student generates in either mode, with the end-of-sequence tokens that a test wants. */
async function withGenerator(
  name: string,
  body: (generate: Generate, student: LanguageModel, sessions: SessionCache) => Promise<void>,
): Promise<void> {
  await withFixture(engine, name, {}, async (student) => {
    const { decoder, lora, weights } = student.model;
    const layout = layoutParameters(decoder, lora, "full");
    const store = await ParameterStore.create(engine, layout, weights, await student.snapshot());
    const sessions = new SessionCache(engine, { decoder, lora, layout });
    const parts = {
      store,
      sessions,
      numHiddenLayers: decoder.numHiddenLayers,
      vocabSize: decoder.vocabSize,
      maxPositions: decoder.maxPositionEmbeddings,
    };
    try {
      await body(
        (mode, prompts, options, eosTokenIds = student.model.tokenizer.eosTokenIds) =>
          generateTokens(
            { ...parts, mode, eosTokenIds },
            prompts.map((prompt) => Int32Array.from(prompt)),
            options,
          ),
        student,
        sessions,
      );
    } finally {
      await sessions.dispose();
      store.dispose();
    }
  });
}

const PROMPTS = [
  [1, 20, 31],
  [1],
  [1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21],
  [30, 2 + 30, 33, 34],
];
const SAMPLED = { maxNewTokens: 12, temperature: 1.3, rng: new Rng(5) } as const;
const NUCLEUS = { ...SAMPLED, topP: 0.7 } as const;
const GREEDY = { maxNewTokens: 12 } as const;

describe.each(["llama-gqa-tied", "gpt2-prefixed", "qwen2-tied-f16", "mistral-sliding", "gemma3-patterned"])(
  "%s",
  (name) => {
    test.each([
      ["greedy", GREEDY],
      ["sampled", SAMPLED],
      ["nucleus", NUCLEUS],
    ] as const)(
      "%s: one run a token and one run in all choose the same tokens, in batches of any size",
      async (_kind, options) => {
        await withGenerator(name, async (generate) => {
          const expected = await generate("steps", PROMPTS, { ...options, batchSize: 1 });
          expect(expected.some((row) => row.tokens > 1)).toBe(true);
          for (const mode of MODES) {
            for (const batchSize of [1, 3, 8])
              expect(
                await generate(mode, PROMPTS, { ...options, batchSize }),
                `${mode}, batches of ${batchSize}`,
              ).toEqual(expected);
          }
        });
      },
    );
  },
);

test("a row's draws are its own: its neighbours can change", async () => {
  await withGenerator("llama-untied", async (generate) => {
    for (const mode of MODES) {
      const [first] = await generate(mode, PROMPTS, SAMPLED);
      const [again] = await generate(mode, [PROMPTS[0]!, [1, 40, 41]], SAMPLED);
      expect(again).toEqual(first);
    }
  });
});

test("another seed draws other tokens, the same seed the same", async () => {
  await withGenerator("llama-untied", async (generate) => {
    const seeded = (seed: number) => generate("whole", PROMPTS, { ...SAMPLED, rng: new Rng(seed) });
    expect(await seeded(1)).toEqual(await seeded(1));
    expect(await seeded(1)).not.toEqual(await seeded(2));
  });
});

describe("where a row ends", () => {
  test.each(MODES)("%s: at the end-of-sequence token, which is counted and not shown", async (mode) => {
    await withGenerator("llama-gqa-tied", async (generate) => {
      const [free] = await generate(mode, [[1, 20, 31]], { maxNewTokens: 6 }, []);
      expect(free).toMatchObject({ tokens: 6, finishReason: "length" });
      const ids = [...free!.ids];
      const eos = ids[3]!;
      const at = ids.indexOf(eos);
      const [stopped] = await generate(mode, [[1, 20, 31]], { maxNewTokens: 6 }, [9999, eos]);
      expect(stopped).toEqual({ ids: Int32Array.from(ids.slice(0, at)), tokens: at + 1, finishReason: "stop" });
    });
  });

  test.each(MODES)("%s: an end-of-sequence token as the very first gives an empty text", async (mode) => {
    await withGenerator("llama-gqa-tied", async (generate) => {
      const [free] = await generate(mode, [[1, 20, 31]], { maxNewTokens: 1 }, []);
      expect(await generate(mode, [[1, 20, 31]], { maxNewTokens: 6 }, [free!.ids[0]!])).toEqual([
        { ids: new Int32Array(0), tokens: 1, finishReason: "stop" },
      ]);
    });
  });

  test.each(MODES)("%s: at the last position of the context, beside rows that go on", async (mode) => {
    await withGenerator("gpt2-prefixed", async (generate) => {
      const long = Array.from({ length: 60 }, (_, i) => 1 + i);
      const [near, far] = await generate(mode, [long, [1, 2, 3]], { maxNewTokens: 100 }, []);
      expect([near!.tokens, near!.finishReason]).toEqual([4, "length"]);
      expect([far!.tokens, far!.finishReason]).toEqual([61, "length"]);
      // Beside the row at its end, the other one is what it is alone.
      expect((await generate(mode, [[1, 2, 3]], { maxNewTokens: 100 }, []))[0]).toEqual(far);
    });
  });

  test("the loop in the graph ends with the last real row, not with padding", async () => {
    await withGenerator("llama-gqa-tied", async (generate, _student, sessions) => {
      const prompts = [
        [1, 20, 31],
        [1, 21, 31],
        [1, 22, 31],
      ];
      const free = await generate("whole", prompts, { maxNewTokens: 1, batchSize: 8 }, []);
      const lengths: number[] = [];
      const open = sessions.generation.bind(sessions);
      sessions.generation = async (...key) => {
        const session = await open(...key);
        return {
          ...session,
          inputNames: session.inputNames,
          run: async (feeds, outputs) => {
            const result = await session.run(feeds, outputs);
            lengths.push(result.host("rest").shape[0]!);
            return result;
          },
        };
      };
      // Every row's first token ends it: 3 rows in a graph of 4.
      const eos = free.map((row) => row.ids[0]!);
      await generate("whole", prompts, { maxNewTokens: 30, batchSize: 8 }, eos);
      expect(lengths).toEqual([0]);
    });
  });
});

describe("sampled tokens come as often as they should", () => {
  test.each([
    ["steps", 1, 1],
    ["whole", 1, 1],
    ["steps", 0.6, 0.8],
    ["whole", 0.6, 0.8],
    ["whole", 2.5, 0.95],
  ] as const)("%s, temperature %f, top-p %f", async (mode, temperature, topP) => {
    await withGenerator("llama-gqa-tied", async (generate, student, sessions) => {
      const prompt = [1, 20, 31];
      const logits = await lastLogits(student, sessions, prompt);
      const counts = new Array<number>(logits.length).fill(0);
      const prompts = Array.from({ length: 3000 }, () => prompt);
      for (const row of await generate(
        mode,
        prompts,
        { maxNewTokens: 1, temperature, topP, rng: new Rng(8), batchSize: 512 },
        [],
      ))
        counts[row.ids[0]!]!++;
      expectFrequencies(counts, exactDistribution(logits, temperature, topP));
    });
  });
});

/** Logits after a prompt, from the prefill graph. */
async function lastLogits(
  student: LanguageModel,
  sessions: SessionCache,
  prompt: readonly number[],
): Promise<number[]> {
  const { decoder, lora, weights } = student.model;
  const store = await ParameterStore.create(
    engine,
    layoutParameters(decoder, lora, "full"),
    weights,
    await student.snapshot(),
  );
  const length = prompt.length;
  const session = await sessions.prefill(1, length, length);
  const result = await session.run(
    {
      ...store.feeds(session),
      ids: { type: "int32", shape: [1, length], data: Int32Array.from(prompt) },
      keyMask: { type: "float32", shape: [1, 1, 1, length], data: new Float32Array(length) },
      "positions.int64": { type: "int64", shape: [1, length], data: BigInt64Array.from(prompt, (_, i) => BigInt(i)) },
    },
    { logits: "host" },
  );
  store.dispose();
  return Array.from(result.host("logits").data, Number);
}

describe("extreme settings", () => {
  test.each(MODES)("%s: a temperature near zero and a tiny nucleus are greedy", async (mode) => {
    await withGenerator("llama-untied", async (generate) => {
      const greedy = await generate(mode, PROMPTS, GREEDY);
      for (const temperature of [1e-4, 1e-20, 1e-45, 1e-300])
        expect(
          await generate(mode, PROMPTS, { ...GREEDY, temperature, rng: new Rng(1) }),
          `temperature ${temperature}`,
        ).toEqual(greedy);
      expect(await generate(mode, PROMPTS, { ...GREEDY, temperature: 1, topP: 1e-9, rng: new Rng(1) })).toEqual(greedy);
    });
  });

  test.each(MODES)("%s: a very high temperature still gives tokens of the vocabulary", async (mode) => {
    await withGenerator("llama-untied", async (generate) => {
      const rows = await generate(mode, PROMPTS, { maxNewTokens: 20, temperature: 1e30, rng: new Rng(1) }, []);
      expect(rows.every((row) => row.ids.every((id) => id >= 0 && id < 330))).toBe(true);
      expect(new Set(rows.flatMap((row) => [...row.ids])).size).toBeGreaterThan(40);
    });
  });

  test.each(MODES)("%s: weights that are not numbers are an error that names the prompt", async (mode) => {
    await withGenerator("llama-gqa-tied", async (_generate, student) => {
      const values = new Map(await student.snapshot());
      values.set("model.norm.weight", new Float32Array(24).fill(NaN));
      const { decoder, lora, weights } = student.model;
      const layout = layoutParameters(decoder, lora, "full");
      const store = await ParameterStore.create(engine, layout, weights, values);
      const sessions = new SessionCache(engine, { decoder, lora, layout });
      const parts = { store, sessions, numHiddenLayers: 2, vocabSize: 85, maxPositions: 96, eosTokenIds: [2], mode };
      for (const options of [GREEDY, SAMPLED, NUCLEUS]) {
        await expect(generateTokens(parts, [Int32Array.of(1, 5)], options)).rejects.toMatchObject({
          code: "non-finite",
          message: expect.stringMatching(/prompt 1: expected finite logits/) as string,
        });
      }
      await sessions.dispose();
      store.dispose();
    });
  });
});

describe("refusals", () => {
  test.each([
    [[[]], GREEDY, /prompt 1: expected at least one token/],
    [[[1], Array.from({ length: 96 }, () => 1)], GREEDY, /prompt 2: expected at most 95 tokens, got 96/],
    [[[1]], { maxNewTokens: 0 }, /max-new-tokens: expected a positive integer, got 0/],
    [[[1]], { maxNewTokens: 1.5 }, /max-new-tokens/],
    [[[1]], { maxNewTokens: 1, temperature: 1 }, /a seeded random stream/],
    [[[1]], { maxNewTokens: 1, temperature: -1 }, /temperature/],
    [[[1]], { maxNewTokens: 1, topP: 0 }, /top-p/],
  ] as const)("case %#", async (prompts, options, message) => {
    await withGenerator("llama-gqa-tied", async (generate) => {
      await expect(generate("whole", prompts, options)).rejects.toThrow(message);
    });
  });

  test.each(MODES)("%s: an aborted signal stops before the next batch", async (mode) => {
    await withGenerator("llama-gqa-tied", async (generate) => {
      const abort = new AbortController();
      const progress: number[] = [];
      const options = {
        ...GREEDY,
        batchSize: 1,
        signal: abort.signal,
        onProgress: (done: number) => (progress.push(done), abort.abort()),
      };
      await expect(generate(mode, PROMPTS, options)).rejects.toMatchObject({ code: "aborted" });
      expect(progress).toEqual([1]);
    });
  });

  test("no prompts give no rows", async () => {
    await withGenerator("llama-gqa-tied", async (generate) => expect(await generate("whole", [], GREEDY)).toEqual([]));
  });
});
