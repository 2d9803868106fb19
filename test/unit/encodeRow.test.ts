/** @file Rows to token ids: what carries loss, where EOS goes, and rows that do not fit. */
import { beforeAll, describe, expect, test } from "vitest";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import type { JsonObject } from "../../src/formats/json.ts";
import { encodeRow, encodeRows } from "../../src/tokenizer/encodeRow.ts";
import { createTokenizer, loadTokenizer, type Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { studentDirectory } from "../support/goldens.ts";

let characters: Tokenizer;
let bytes: Tokenizer;
let pieces: Tokenizer;
beforeAll(async () => {
  characters = await loadTokenizer(directorySource(studentDirectory("llama-gqa-tied")));
  bytes = await loadTokenizer(directorySource(studentDirectory("gpt2-prefixed")));
  pieces = await loadTokenizer(directorySource(studentDirectory("llama-untied")));
});

const PLENTY = { maxPositions: 1000 };

test("ids are prompt with its special tokens, completion and EOS; completion and EOS carry loss", () => {
  const { id, ids, completionTokens } = encodeRow(characters, { id: "r", prompt: "ab", completion: " cd" }, PLENTY);
  expect(id).toBe("r");
  expect([...ids].map((token) => characters.idToToken(token))).toEqual(["<s>", "▁", "a", "b", "▁", "c", "d", "</s>"]);
  expect(completionTokens).toBe(4);
});

test("an empty completion leaves EOS to predict", () => {
  const { ids, completionTokens } = encodeRow(characters, { prompt: "ab", completion: "" }, PLENTY);
  expect([...ids]).toEqual([...characters.encode("ab"), 2]);
  expect(completionTokens).toBe(1);
});

test("with an empty prompt everything after BOS carries loss", () => {
  const { ids, completionTokens } = encodeRow(characters, { prompt: "", completion: "ab" }, PLENTY);
  expect([...ids]).toEqual([...characters.encode("ab"), 2]);
  expect(completionTokens).toBe(ids.length - 1);
});

test("without BOS the first token of an empty prompt's completion has nothing to be predicted from", () => {
  const row = encodeRow(bytes, { prompt: "", completion: "Tom" }, PLENTY);
  expect([...row.ids]).toEqual([...bytes.encode("Tom"), bytes.eosTokenId]);
  expect(row.completionTokens).toBe(row.ids.length - 1);
  expect(() => encodeRow(bytes, { id: "void", prompt: "", completion: "" }, PLENTY)).toThrow(
    /row "void": expected at least one token to predict/,
  );
});

test("in a text row every token but the first carries loss", () => {
  const row = encodeRow(characters, { text: "ab" }, PLENTY);
  expect([...row.ids]).toEqual([...characters.encode("ab"), 2]);
  expect(row.completionTokens).toBe(row.ids.length - 1);
});

describe("EOS", () => {
  test("is not doubled when the completion already ends with it", () => {
    const plain = encodeRow(characters, { prompt: "a", completion: "b" }, PLENTY);
    expect(encodeRow(characters, { prompt: "a", completion: "b</s>" }, PLENTY)).toEqual(plain);
  });

  test("is appended although the prompt ends with one", () => {
    expect([...encodeRow(characters, { prompt: "a</s>", completion: "" }, PLENTY).ids]).toEqual([
      ...characters.encode("a</s>"),
      2,
    ]);
  });

  test("that the tokenizer itself appends is neither doubled nor left inside", () => {
    const special = (token: string): JsonObject => ({ SpecialToken: { id: token, type_id: 0 } });
    const single = [special("<s>"), { Sequence: { id: "A", type_id: 0 } }, special("</s>")];
    const words = ["<s>", "</s>", "a", "b", "?"];
    const json = {
      added_tokens: [0, 1].map((id) => ({ id, content: words[id], special: true })),
      normalizer: null,
      pre_tokenizer: { type: "WhitespaceSplit" },
      decoder: null,
      post_processor: {
        type: "TemplateProcessing",
        single,
        pair: single,
        special_tokens: {
          "<s>": { id: "<s>", ids: [0], tokens: ["<s>"] },
          "</s>": { id: "</s>", ids: [1], tokens: ["</s>"] },
        },
      },
      model: { type: "WordLevel", vocab: Object.fromEntries(words.map((word, i) => [word, i])), unk_token: "?" },
    };
    const tokenizer = createTokenizer(
      json,
      { tokenizerConfig: { eos_token: "</s>" }, specialTokensMap: {}, config: {}, generationConfig: {} },
      "dir",
    );
    const row = encodeRow(tokenizer, { prompt: "a", completion: " b" }, PLENTY);
    expect([...row.ids]).toEqual([0, 2, 3, 1]);
    expect(row.completionTokens).toBe(2);
  });

  test("must be known", () => {
    const json = { added_tokens: [], model: { type: "WordLevel", vocab: { a: 0 }, unk_token: "a" } };
    const tokenizer = createTokenizer(
      json,
      { tokenizerConfig: {}, specialTokensMap: {}, config: {}, generationConfig: {} },
      "dir",
    );
    expect(() => encodeRow(tokenizer, { text: "a" }, PLENTY)).toThrow(/dir: expected an end-of-sequence token/);
  });
});

describe("a prompt whose tokens change when the completion follows", () => {
  test("keeps its own tokens, and the completion starts after as many", () => {
    const row = { prompt: "How many appl", completion: "es does" };
    const prompt = pieces.encode(row.prompt);
    const whole = pieces.encode(row.prompt + row.completion);
    expect(whole.slice(0, prompt.length)).not.toEqual(prompt);
    const encoded = encodeRow(pieces, row, PLENTY);
    expect([...encoded.ids]).toEqual([...prompt, ...whole.slice(prompt.length), 2]);
    expect(encoded.boundaryMismatch).toBe(true);
  });

  test("is reported once a file", () => {
    const mismatch = { prompt: "How many appl", completion: "es does" };
    const { rows, warnings } = encodeRows(
      pieces,
      [
        { id: "ok", prompt: "Tom", completion: " has" },
        { id: "m", ...mismatch },
        { id: "n", ...mismatch },
      ],
      { ...PLENTY, where: "d.jsonl" },
    );
    expect(rows.length).toBe(3);
    expect(Object.keys(rows[0] ?? {})).toEqual(["id", "ids", "completionTokens"]);
    expect(warnings).toEqual([expect.stringMatching(/^d\.jsonl: in 2 of 3 rows \(first: "m"\)/)]);
  });
});

describe("a row that is too long", () => {
  const row = { id: "long", prompt: "abcdef", completion: "ghi" };

  test("is refused with its lengths, and fits exactly", () => {
    expect(() => encodeRow(characters, row, { maxPositions: 11, where: "d.jsonl" })).toThrow(
      /^d\.jsonl: row "long": expected at most 11 tokens.*12 \(prompt 8, completion with EOS 4\).*--truncate/,
    );
    expect(encodeRow(characters, row, { maxPositions: 12 }).ids.length).toBe(12);
  });

  test("loses the left of its prompt when truncation is asked for, never its completion", () => {
    const whole = encodeRow(characters, row, PLENTY);
    for (const maxPositions of [11, 6, 5]) {
      const cut = encodeRow(characters, row, { maxPositions, truncate: true });
      expect([...cut.ids]).toEqual([...whole.ids].slice(-maxPositions));
      expect(cut.completionTokens).toBe(4);
      expect(cut.droppedTokens).toBe(12 - maxPositions);
    }
    expect(encodeRow(characters, row, { maxPositions: 4, truncate: true }).completionTokens).toBe(3);
    expect(() => encodeRow(characters, row, { maxPositions: 3, truncate: true })).toThrow(
      /row "long": expected a completion of at most 3 tokens.*4 with EOS/,
    );
  });

  test("is reported once a file when it was cut", () => {
    const { warnings } = encodeRows(characters, [row, { id: "b", prompt: "a", completion: "b" }], {
      maxPositions: 8,
      truncate: true,
    });
    expect(warnings).toEqual([expect.stringMatching(/1 of 2 prompts were cut/)]);
  });
});
