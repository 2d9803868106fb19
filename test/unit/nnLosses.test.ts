/**
 * @file Token scores of random, large and tied logits against their definitions in
 * float64, whole and in chunks, computed in float64 and on ONNX Runtime.
 */
import { describe, expect, test } from "vitest";
import { addGradients } from "../../src/autograd/gradient.ts";
import { Rng } from "../../src/core/rng.ts";
import { ModelContext } from "../../src/nn/context.ts";
import { parseDecoder } from "../../src/nn/families.ts";
import { TOKEN_SCORES, tokenScores, type TokenScore } from "../../src/nn/losses.ts";
import { GraphBuilder } from "../../src/onnx/builder.ts";
import type { Graph } from "../../src/onnx/types.ts";
import { evaluate } from "../support/float64Evaluator.ts";
import { array } from "../support/ndarray.ts";
import { runOnProvider } from "../support/ortProviders.ts";

/** A head whose weight is the identity: hidden states are logits. */
const identityHead = (vocabulary: number) =>
  parseDecoder({
    model_type: "llama",
    hidden_size: vocabulary,
    vocab_size: vocabulary,
    num_attention_heads: 1,
    num_hidden_layers: 1,
    intermediate_size: 1,
    head_dim: 2,
    tie_word_embeddings: true,
  });

function scoreGraph(rows: number, vocabulary: number, scores: readonly TokenScore[], maxLogitsBytes?: number): Graph {
  const g = new GraphBuilder("scores");
  const hidden = g.input("logits", "float32", [rows, vocabulary]);
  const targets = g.input("targets", "int32", [rows, 1]);
  const weight = g.constant(
    "float32",
    [vocabulary, vocabulary],
    Float32Array.from({ length: vocabulary ** 2 }, (_, i) => (i % (vocabulary + 1) === 0 ? 1 : 0)),
    "identity",
  );
  const context = new ModelContext({
    builder: g,
    decoder: identityHead(vocabulary),
    lora: new Map(),
    parameter: () => weight,
  });
  const { values } = tokenScores(context, hidden, targets, scores, maxLogitsBytes);
  values.forEach((value, i) => g.output(value, scores[i]));
  return g.build();
}

/** The definitions, one row of logits at a time. */
function reference(logits: readonly number[], target: number): Record<TokenScore, number> {
  const max = Math.max(...logits);
  const sum = logits.reduce((total, z) => total + Math.exp(z - max), 0);
  const logP = logits.map((z) => z - max - Math.log(sum));
  const p = logP.map(Math.exp);
  const sorted = [...p].sort((a, b) => b - a);
  return {
    loss: -logP[target]!,
    entropy: -p.reduce((total, pi, i) => total + (pi === 0 ? 0 : pi * logP[i]!), 0),
    margin: sorted[0]! - sorted[1]!,
    leastConfidence: 1 - sorted[0]!,
    el2n: Math.sqrt(p.reduce((total, pi, i) => total + (pi - (i === target ? 1 : 0)) ** 2, 0)),
  };
}

async function computeBoth(graph: Graph, logits: readonly (readonly number[])[], targets: readonly number[]) {
  const [rows, vocabulary] = [logits.length, logits[0]!.length];
  const flat = logits.flat();
  const exact = evaluate(graph, { logits: array([rows, vocabulary], flat), targets: array([rows, 1], targets) });
  const fast = await runOnProvider("cpu", graph, {
    logits: { type: "float32", shape: [rows, vocabulary], data: Float32Array.from(flat) },
    targets: { type: "int32", shape: [rows, 1], data: Int32Array.from(targets) },
  });
  return { exact, fast };
}

const rng = new Rng(5);
/** Values that float32 holds exactly, so that both sides see the same logits. */
const draw = (rows: number, vocabulary: number, scale: number): number[][] =>
  Array.from({ length: rows }, () => Array.from({ length: vocabulary }, () => Math.fround(rng.normal() * scale)));

describe.each([
  ["small", 1e-3],
  ["ordinary", 3],
  ["large", 1e3],
  ["huge", 1e30],
])("%s random logits", (_name, scale) => {
  const logits = draw(6, 9, scale);
  const targets = logits.map((_, i) => (3 * i) % 9);
  test("every score is its definition", async () => {
    const { exact, fast } = await computeBoth(scoreGraph(6, 9, TOKEN_SCORES), logits, targets);
    logits.forEach((row, i) => {
      const expected = reference(row, targets[i]!);
      for (const score of TOKEN_SCORES) {
        const tolerance = 1 + Math.abs(expected[score]);
        expect(
          Math.abs(exact.get(score)!.data[i]! - expected[score]) / tolerance,
          `${score} of row ${i} in float64`,
        ).toBeLessThan(1e-12);
        expect(
          Math.abs(fast.get(score)!.data[i]! - expected[score]) / tolerance,
          `${score} of row ${i} in float32`,
        ).toBeLessThan(2e-6);
      }
    });
  });
});

describe("special rows", () => {
  const rows: readonly (readonly [string, readonly number[], number, Partial<Record<TokenScore, number>>])[] = [
    ["two tokens tie at the top", [2, 5, 1, 5], 0, { margin: 0 }],
    ["all tokens tie", [0, 0, 0, 0], 2, { margin: 0, entropy: Math.log(4), loss: Math.log(4), leastConfidence: 0.75 }],
    [
      "the best token is far ahead and right",
      [100, 0, 0, 0],
      0,
      { margin: 1, entropy: 0, loss: 0, leastConfidence: 0, el2n: 0 },
    ],
    ["the best token is far ahead and wrong", [100, 0, 0, 0], 1, { margin: 1, loss: 100, el2n: Math.SQRT2 }],
    ["ties below the top do not matter", [1, 1, 3, 1], 2, { margin: (Math.exp(2) - 1) / (Math.exp(2) + 3) }],
    ["one ulp apart is no tie", [1, 1 + 2 ** -23, -50, -50], 0, {}],
  ];
  test.each(rows)("%s", async (_name, logits, target, known) => {
    const { exact, fast } = await computeBoth(scoreGraph(1, 4, TOKEN_SCORES), [logits], [target]);
    for (const [score, value] of Object.entries({ ...reference(logits, target), ...known })) {
      expect(exact.get(score)!.data[0], `${score} in float64`).toBeCloseTo(value, 12);
      expect(fast.get(score)!.data[0], `${score} in float32`).toBeCloseTo(value, 5);
    }
  });
});

test("only the scores that were asked for are computed", () => {
  expect(scoreGraph(2, 5, ["loss"]).outputs.map((output) => output.name)).toEqual(["loss"]);
  const nodes = (scores: readonly TokenScore[]): number => scoreGraph(2, 5, scores).nodes.length;
  expect(nodes(["loss"])).toBeLessThan(nodes(["loss", "margin"]));
});

describe("chunks of rows", () => {
  // 9 tokens of vocabulary are 36 bytes a row: 7 rows as 7, 4 (3 + 3 + 1), 2 and 1 chunks.
  test.each([1, 36, 72, 110, 200, 10_000])("a limit of %i bytes changes no score", (maxLogitsBytes) => {
    const logits = draw(7, 9, 2);
    const targets = logits.map((_, i) => (5 * i) % 9);
    const feeds = { logits: array([7, 9], logits.flat()), targets: array([7, 1], targets) };
    const whole = evaluate(scoreGraph(7, 9, TOKEN_SCORES), feeds);
    const chunked = evaluate(scoreGraph(7, 9, TOKEN_SCORES, maxLogitsBytes), feeds);
    for (const score of TOKEN_SCORES) expect(chunked.get(score)).toEqual(whole.get(score));
  });

  test("no tensor of the graph, backward included, is larger than the limit", () => {
    const rows = 64;
    const vocabulary = 32;
    const limit = 16 * vocabulary * 4;
    const g = new GraphBuilder("loss");
    const hidden = g.input("hidden", "float32", [rows, 8]);
    const weight = g.input("weight", "float32", [vocabulary, 8]);
    const targets = g.input("targets", "int32", [rows, 1]);
    const decoder = { ...identityHead(vocabulary), hiddenSize: 8 };
    const context = new ModelContext({ builder: g, decoder, lora: new Map(), parameter: () => weight });
    const { values, fixed } = tokenScores(context, hidden, targets, ["loss"], limit);
    const loss = g.reduceSum(values[0]!, [0, 1], false);
    addGradients(g, loss, [hidden, weight], { constants: fixed }).forEach((gradient, i) =>
      g.output(gradient, `gradient${i}`),
    );
    const graph = g.build();
    const allowed = Math.max(limit, rows * 8 * 4);
    const bytes = [...graph.values.values()].map(({ shape }) =>
      shape.reduce<number>((n, dim) => n * (typeof dim === "number" ? dim : NaN), 4),
    );
    expect(bytes.length).toBeGreaterThan(50);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(allowed);
  });
});
