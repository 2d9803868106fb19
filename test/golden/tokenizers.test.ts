/**
 * @file Token ids and decoded texts equal to the Rust tokenizers library's
 * (`scripts/golden/reference/make_tokenizer_goldens.mjs`), and rows tokenized as the
 * PyTorch reference's own tokenizer does.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/formats/json.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { encodeRow } from "../../src/tokenizer/encodeRow.ts";
import { createTokenizer, loadTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { fixtureNames, goldenRows, loadGolden, SHARED_STUDENTS, studentDirectory } from "../support/goldens.ts";
import { describeWithShared, sharedPath } from "../support/shared.ts";

interface TokenizerGolden {
  readonly vocabSize: number;
  readonly encoded: readonly { readonly text: string; readonly ids: readonly number[]; readonly decoded: string }[];
  readonly decoded: readonly { readonly ids: readonly number[]; readonly text: string }[];
}

interface Part {
  readonly preTokenizer: JsonObject;
  readonly text: string;
  readonly pieces: readonly string[];
}

const DATA = join(dirname(fileURLToPath(import.meta.url)), "data", "tokenizers");
const read = (name: string): unknown => JSON.parse(readFileSync(join(DATA, `${name}.json`), "utf8"));

function compareWithRust(name: string, directory: string): void {
  const golden = read(name) as TokenizerGolden;

  test("encodes and decodes every text as the Rust library", async () => {
    const tokenizer = await loadTokenizer(directorySource(directory));
    expect(tokenizer.vocabSize).toBe(golden.vocabSize);
    for (const { text, ids, decoded } of golden.encoded) {
      expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
      expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(decoded);
    }
  });

  test("decodes any ids as the Rust library, cut-off characters included", async () => {
    const tokenizer = await loadTokenizer(directorySource(directory));
    for (const { ids, text } of golden.decoded)
      expect(tokenizer.decode(ids, { skipSpecialTokens: false }), ids.join()).toBe(text);
  });
}

function compareRows(name: string): void {
  test("tokenizes rows as the reference, loss-carrying tokens included", async () => {
    const golden = loadGolden(name);
    const tokenizer = await loadTokenizer(directorySource(studentDirectory(name)));
    expect(tokenizer.eosTokenId).toBe(golden.eosTokenId);
    expect(tokenizer.eosTokenIds).toContain(golden.eosTokenId);
    const rows = goldenRows(golden);
    expect(rows.length).toBe(golden.scores.length);
    rows.forEach((row, i) => {
      const expected = golden.scores[i];
      const { id, ids, completionTokens } = encodeRow(tokenizer, row, { maxPositions: 512 });
      expect({ id, ids: [...ids], completionTokens }).toEqual({
        id: expected?.id,
        ids: expected?.ids,
        completionTokens: expected?.completionTokens,
      });
    });
    for (const { prompt, promptIds } of golden.greedy) expect(tokenizer.encodePrompt(prompt)).toEqual(promptIds);
  });
}

/** The students of make_students.py all have this one's tokenizer. */
const SHARED_TOKENIZER = "llama-gqa-tied";
const tokenizerFile = (name: string): string => readFileSync(join(studentDirectory(name), "tokenizer.json"), "utf8");

for (const name of fixtureNames()) {
  const shares = tokenizerFile(name) === tokenizerFile(SHARED_TOKENIZER);
  describe(`fixture ${name}`, () => {
    compareWithRust(shares ? SHARED_TOKENIZER : name, studentDirectory(name));
    compareRows(name);
  });
}

for (const name of SHARED_STUDENTS) {
  describeWithShared(`student ${name}`, ["students", name], () => {
    compareWithRust(name, sharedPath("students", name));
    compareRows(name);
  });
}

for (const name of ["gpt2", "smollm2", "qwen3"]) {
  describeWithShared(`tokenizer ${name}`, ["tokenizers", name], () =>
    compareWithRust(name, sharedPath("tokenizers", name)),
  );
}

describeWithShared("known values", ["tokenizers", "gpt2"], () => {
  test("GPT-2's Hello world is 15496 995, without the padding that its file asks for", async () => {
    const tokenizer = await loadTokenizer(directorySource(sharedPath("tokenizers", "gpt2")));
    expect(tokenizer.encode("Hello world")).toEqual([15496, 995]);
    expect(tokenizer.decode([15496, 995])).toBe("Hello world");
  });
});

describe("pre-tokenizers split as in the Rust library", () => {
  /** As in the script: every substring is a token and a piece that is a token is taken whole. */
  const showPieces = (preTokenizer: JsonObject, pieces: readonly string[]): JsonObject => {
    const vocab: Record<string, number> = { "<unk>": 0 };
    for (const piece of pieces) vocab[piece] ??= Object.keys(vocab).length;
    return {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: preTokenizer,
      post_processor: null,
      decoder: null,
      model: { type: "BPE", unk_token: "<unk>", fuse_unk: false, ignore_merges: true, vocab, merges: [] },
    };
  };
  const groups = new Map<string, Part[]>();
  for (const part of read("parts") as readonly Part[]) {
    const key = JSON.stringify(part.preTokenizer);
    groups.set(key, [...(groups.get(key) ?? []), part]);
  }
  for (const [key, parts] of groups) {
    test(key, () => {
      for (const { preTokenizer, text, pieces } of parts) {
        const tokenizer = createTokenizer(
          showPieces(preTokenizer, pieces),
          { tokenizerConfig: {}, specialTokensMap: {}, config: {}, generationConfig: {} },
          "parts",
        );
        expect(
          tokenizer.encode(text).map((id) => tokenizer.idToToken(id)),
          JSON.stringify(text),
        ).toEqual(pieces);
      }
    });
  }
});
