/** @file The tokenizer of a student directory: special tokens by precedence, templates, and files that are refused. */
import { describe, expect, test } from "vitest";
import { memorySource } from "../../src/formats/fileSource.ts";
import type { JsonObject } from "../../src/formats/json.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { createTokenizer, loadTokenizer, type Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import type { TokenizerFiles } from "../../src/tokenizer/specialTokens.ts";
import { studentDirectory } from "../support/goldens.ts";

const WORDS = ["<unk>", "<s>", "</s>", "<|im_end|>", "a", "b", "c"];
const added = (content: string): JsonObject => ({
  id: WORDS.indexOf(content),
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
});

/** A word-level tokenizer over WORDS. */
function words(overrides: JsonObject = {}): JsonObject {
  return {
    version: "1.0",
    added_tokens: ["<unk>", "<s>", "</s>", "<|im_end|>"].map(added),
    normalizer: null,
    pre_tokenizer: { type: "WhitespaceSplit" },
    post_processor: null,
    decoder: null,
    model: { type: "WordLevel", vocab: Object.fromEntries(WORDS.map((word, i) => [word, i])), unk_token: "<unk>" },
    ...overrides,
  };
}

function template(before: readonly string[], after: readonly string[]): JsonObject {
  const special = (token: string): JsonObject => ({ SpecialToken: { id: token, type_id: 0 } });
  const single = [...before.map(special), { Sequence: { id: "A", type_id: 0 } }, ...after.map(special)];
  return {
    type: "TemplateProcessing",
    single,
    pair: single,
    special_tokens: Object.fromEntries(
      [...before, ...after].map((token) => [token, { id: token, ids: [WORDS.indexOf(token)], tokens: [token] }]),
    ),
  };
}

function make(json: JsonObject, files: Partial<TokenizerFiles> = {}): Tokenizer {
  return createTokenizer(
    json,
    { tokenizerConfig: {}, specialTokensMap: {}, config: {}, generationConfig: {}, ...files },
    "dir",
  );
}

describe("special tokens", () => {
  test("come from tokenizer_config.json, as text or as an object", () => {
    const tokenizer = make(words(), {
      tokenizerConfig: { eos_token: "</s>", bos_token: { content: "<s>" }, pad_token: null },
      config: { eos_token_id: 3 },
    });
    expect(tokenizer).toMatchObject({ eosTokenId: 2, bosTokenId: 1, padTokenId: undefined });
  });

  test("an older special_tokens_map.json wins unless tokenizer_config.json lists the added tokens", () => {
    const specialTokensMap = { eos_token: "<|im_end|>" };
    expect(make(words(), { tokenizerConfig: { eos_token: "</s>" }, specialTokensMap }).eosTokenId).toBe(3);
    expect(
      make(words(), { tokenizerConfig: { eos_token: "</s>", added_tokens_decoder: {} }, specialTokensMap }).eosTokenId,
    ).toBe(2);
  });

  test("fall back to the defaults of the class or model type, then to the ids of config.json and generation_config.json", () => {
    expect(make(words(), { config: { model_type: "llama", eos_token_id: 3 } })).toMatchObject({
      eosTokenId: 2,
      bosTokenId: 1,
    });
    expect(make(words(), { tokenizerConfig: { tokenizer_class: "LlamaTokenizerFast" } }).eosTokenId).toBe(2);
    expect(make(words(), { config: { eos_token_id: 3 }, generationConfig: { eos_token_id: 2 } }).eosTokenId).toBe(3);
    expect(make(words(), { generationConfig: { eos_token_id: [3, 2] } }).eosTokenId).toBe(3);
    expect(make(words()).eosTokenId).toBeUndefined();
  });

  test("generation stops at those of generation_config.json, else of config.json, and at the one that training appends", () => {
    const tokenizerConfig = { eos_token: "<|im_end|>" };
    expect(
      make(words(), { tokenizerConfig, config: { eos_token_id: 1 }, generationConfig: { eos_token_id: [2, 3] } })
        .eosTokenIds,
    ).toEqual([3, 2]);
    expect(make(words(), { tokenizerConfig, config: { eos_token_id: 2 } }).eosTokenIds).toEqual([3, 2]);
  });

  test("are refused when the vocabulary lacks the end token, or an id is none", () => {
    expect(() => make(words(), { tokenizerConfig: { eos_token: "<eot>" } })).toThrow(
      /dir: eos_token: expected a token of the vocabulary, got "<eot>"/,
    );
    expect(() => make(words(), { tokenizerConfig: { eos_token: 2 } })).toThrow(/eos_token/);
    expect(() => make(words(), { config: { eos_token_id: "2" } })).toThrow(/eos_token_id/);
  });
});

describe("templates", () => {
  test("tokens before and after the text are told apart", () => {
    const tokenizer = make(words({ post_processor: template(["<s>"], ["</s>"]) }));
    expect(tokenizer.encode("a b")).toEqual([1, 4, 5, 2]);
    expect(tokenizer.encode("a b", { addSpecialTokens: false })).toEqual([4, 5]);
    expect(tokenizer.appendedTokens).toBe(1);
    expect(tokenizer.encodePrompt("a b")).toEqual([1, 4, 5]);
    expect(tokenizer.encodePrompt("")).toEqual([1]);
  });

  test("Llama's class adds BOS unless told not to, and EOS only when told to, whatever the file says", () => {
    const config = { tokenizer_class: "LlamaTokenizer", bos_token: "<s>", eos_token: "</s>" };
    expect(make(words(), { tokenizerConfig: config }).encode("a")).toEqual([1, 4]);
    expect(
      make(words({ post_processor: template(["<s>"], []) }), {
        tokenizerConfig: { ...config, add_bos_token: false },
      }).encode("a"),
    ).toEqual([4]);
    expect(make(words(), { tokenizerConfig: { ...config, add_eos_token: true } })).toMatchObject({ appendedTokens: 1 });
  });

  test("a template whose token has another id is refused", () => {
    const wrong = { ...template(["<s>"], []), special_tokens: { "<s>": { id: "<s>", ids: [5], tokens: ["<s>"] } } };
    expect(() => make(words({ post_processor: wrong }))).toThrow(/special_tokens\["<s>"\]/);
  });
});

describe("encoding and decoding", () => {
  test("a word-level model maps unknown words to its unknown token", () => {
    expect(make(words()).encode("a zebra b")).toEqual([4, 0, 5]);
  });

  test("a part of the text that no token expresses is an error where there is no unknown token", () => {
    const json = words({ model: { type: "WordLevel", vocab: { a: 0 }, unk_token: "<unk>" }, added_tokens: [] });
    expect(() => make(json).encode("zebra")).toThrow(/a token for every part of the text/);
  });

  test("ids without a token give nothing", () => {
    const tokenizer = make(words());
    expect(tokenizer.decode([4, 999, 5])).toBe("a b");
    expect(tokenizer.decode([999])).toBe("");
    expect(tokenizer.decode([])).toBe("");
    expect(tokenizer.vocabSize).toBe(WORDS.length);
  });

  test("special tokens are left out unless asked for", () => {
    const tokenizer = make(words());
    expect(tokenizer.decode([1, 4, 2])).toBe("a");
    expect(tokenizer.decode([1, 4, 2], { skipSpecialTokens: false })).toBe("<s> a </s>");
  });

  test("a continuation keeps the space that a text's start loses", async () => {
    const tokenizer = await loadTokenizer(directorySource(studentDirectory("llama-untied")));
    const prompt = tokenizer.encodePrompt("Tom has");
    const whole = tokenizer.encodePrompt("Tom has 3 apples");
    const rest = whole.slice(prompt.length);
    expect(tokenizer.decode(rest)).toBe("3 apples");
    expect(tokenizer.decodeContinuation(prompt, rest)).toBe(" 3 apples");
    expect(tokenizer.decodeContinuation([1], whole.slice(1))).toBe("Tom has 3 apples");
  });

  test("spaces before punctuation stay, even where tokenizer_config.json asks to clean up", async () => {
    const tokenizer = await loadTokenizer(directorySource(studentDirectory("llama3-scaling-sharded")));
    expect(tokenizer.decode(tokenizer.encode("a , b . c ' d n't"))).toBe("a , b . c ' d n't");
  });

  test("add_prefix_space of tokenizer_config.json overrules the file for a ByteLevel pre-tokenizer", () => {
    const json = words({
      pre_tokenizer: { type: "ByteLevel", add_prefix_space: true, use_regex: true },
      model: { type: "WordLevel", vocab: { a: 0, Ġa: 1 }, unk_token: "a" },
      added_tokens: [],
    });
    expect(make(json).encode("a")).toEqual([1]);
    expect(make(json, { tokenizerConfig: { add_prefix_space: false } }).encode("a")).toEqual([0]);
    expect(make(json, { tokenizerConfig: { tokenizer_class: "GPT2Tokenizer" } }).encode("a")).toEqual([0]);
  });
});

describe("a file is refused", () => {
  const bpe = { type: "BPE", vocab: { a: 0 }, merges: [] };
  const cases: readonly (readonly [string, JsonObject, RegExp])[] = [
    ["without a model", { added_tokens: [] }, /model: expected a tokenizer model, got nothing/],
    ["without a vocabulary", words({ model: { type: "BPE", merges: [] } }), /vocabulary/],
    ["of an unknown model", words({ model: { type: "Magic", vocab: {} } }), /Magic/],
    ["with ids that are none", words({ model: { ...bpe, vocab: { a: -1 } } }), /vocab\["a"\]/],
    ["with dropout", words({ model: { ...bpe, dropout: 0.1 } }), /dropout/],
    [
      "with a subword prefix",
      words({ model: { ...bpe, continuing_subword_prefix: "##" } }),
      /continuing_subword_prefix/,
    ],
    [
      "with an unknown pre-tokenizer",
      words({ pre_tokenizer: { type: "UnicodeScripts" } }),
      /pre_tokenizer\.type.*UnicodeScripts/,
    ],
    [
      "with a split it cannot make",
      words({ pre_tokenizer: { type: "Split", pattern: { Regex: "a+" }, behavior: "MergedWithNext", invert: false } }),
      /MergedWithNext/,
    ],
    ["with a single-word token", words({ added_tokens: [{ ...added("<s>"), single_word: true }] }), /single_word/],
    [
      "with a broken regex",
      words({ pre_tokenizer: { type: "Split", pattern: { Regex: "(" }, behavior: "Isolated", invert: false } }),
      /a tokenizer that can be built/,
    ],
    ["with an unknown normalizer", words({ normalizer: { type: "Magic" } }), /Magic/],
  ];
  for (const [name, json, message] of cases) {
    test(name, () => {
      expect(() => make(json)).toThrow(message);
      expect(() => make(json)).toThrow(/^dir\/tokenizer\.json/);
    });
  }

  test("that is missing or no JSON", async () => {
    await expect(loadTokenizer(memorySource(new Map(), "dir"))).rejects.toThrow(/dir: expected a file tokenizer\.json/);
    await expect(loadTokenizer(memorySource(new Map([["tokenizer.json", "<html>"]]), "dir"))).rejects.toThrow(
      /dir\/tokenizer\.json: expected valid JSON/,
    );
  });
});

test("an approximated normalizer is reported", () => {
  expect(
    make(words({ normalizer: { type: "Sequence", normalizers: [{ type: "Precompiled", precompiled_charsmap: "" }] } }))
      .warnings,
  ).toEqual([expect.stringMatching(/Precompiled/)]);
});
