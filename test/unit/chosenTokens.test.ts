/** @file Tokens told while they are generated: they spell the completion, their probabilities are those of scoring, and telling changes nothing. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Rng } from "../../src/core/rng.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { probabilitiesOf } from "../../src/student/sampling.ts";
import { spellTokens } from "../../src/student/spellTokens.ts";
import { openStudent, type LanguageModel } from "../../src/student/student.ts";
import type { ChosenToken, GenerateOptions } from "../../src/student/types.ts";
import { createTask } from "../../src/tasks/registry.ts";

let engine: Engine;
let student: LanguageModel;
beforeAll(async () => {
  engine = await createEngine("cpu", { threads: 1 });
  student = await openStudent(engine, { source: directorySource("public/student") });
});
afterAll(async () => {
  await student.dispose();
  await engine.dispose();
});

const task = createTask("word-problems");
const [question] = task.splits({ pool: 1, validation: 0, test: 0 }, new Rng(3)).pool;
const prompt = task.prompt(question!.question);

async function told(options: Omit<GenerateOptions, "onToken">): Promise<readonly [ChosenToken[], string]> {
  const tokens: ChosenToken[] = [];
  const [generation] = await student.generate([prompt], { ...options, onToken: (token) => void tokens.push(token) });
  expect(generation!.tokens).toBe(tokens.length);
  return [tokens, generation!.completion];
}

describe("tokens told while they are generated", () => {
  it.each([
    ["greedy", { maxNewTokens: 80 }],
    ["sampled", { maxNewTokens: 60, temperature: 0.8, rng: new Rng(7) }],
    ["nucleus", { maxNewTokens: 60, temperature: 0.8, topP: 0.9, rng: new Rng(7) }],
  ] as const)("%s: spell the completion that comes without telling", async (_name, options) => {
    const [tokens, completion] = await told(options);
    expect(tokens.map(({ text, end }) => (end ? "" : text)).join("")).toBe(completion);
    expect((await student.generate([prompt], options))[0]?.completion).toBe(completion);
  });

  it("are as probable as the score graph finds them", async () => {
    const [tokens, completion] = await told({ maxNewTokens: 200 });
    expect(tokens.at(-1)?.end).toBe(true);
    const [row] = await student.score([{ prompt, completion }], ["lossSum"]);
    const nats = tokens.reduce((sum, { probability }) => sum - Math.log(probability), 0);
    expect(row?.tokens).toBe(tokens.length);
    // Two graphs in float32.
    expect(Math.abs(nats - (row?.lossSum ?? 0))).toBeLessThan(1e-4 * tokens.length);
  });

  it("name the likeliest first, the greedy token among them", async () => {
    const [tokens] = await told({ maxNewTokens: 20 });
    for (const { text, probability, alternatives } of tokens) {
      expect(alternatives).toHaveLength(5);
      expect(alternatives[0]).toMatchObject({ text, probability });
      const chances = alternatives.map((token) => token.probability);
      expect(chances).toEqual([...chances].sort((a, b) => b - a));
      expect(chances.reduce((a, b) => a + b)).toBeLessThanOrEqual(1 + 1e-9);
    }
  });

  it("can be stopped after any of them", async () => {
    const abort = new AbortController();
    const tokens: ChosenToken[] = [];
    const onToken = (token: ChosenToken): void => {
      if (tokens.push(token) === 3) abort.abort();
    };
    await expect(student.generate([prompt], { maxNewTokens: 80, signal: abort.signal, onToken })).rejects.toMatchObject(
      { code: "aborted" },
    );
    expect(tokens).toHaveLength(3);
  });
});

describe("probabilities of tokens", () => {
  it("are a softmax, whose largest come first", () => {
    const logits = Float32Array.of(0, Math.log(2), Math.log(4), Math.log(2), -Infinity);
    const { probability, likeliest } = probabilitiesOf(logits, 0, 3);
    expect(probability).toBeCloseTo(1 / 9, 6);
    expect(likeliest.map(({ id }) => id)).toEqual([2, 1, 3]);
    expect(likeliest[0]?.probability).toBeCloseTo(4 / 9, 6);
  });

  it("of a character in several tokens are told with its last one", async () => {
    const bytes = new TextEncoder().encode("é!");
    const tokenizer = {
      eosTokenIds: [0],
      idToToken: () => "<end>",
      decodeContinuation: (_prompt: Iterable<number>, ids: Iterable<number>) =>
        new TextDecoder().decode(Uint8Array.from([...ids], (id) => bytes[id - 1]!)),
    };
    const texts: string[] = [];
    const trace = spellTokens(tokenizer, [Int32Array.of()], ({ text }) => void texts.push(text));
    for (const ids of [[1], [1, 2], [1, 2, 3], [1, 2, 3, 0]])
      await trace({ row: 0, id: ids.at(-1)!, ids, probability: 1, likeliest: [] });
    expect(texts).toEqual(["", "é", "!", "<end>"]);
  });
});
