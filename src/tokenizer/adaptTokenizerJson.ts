/**
 * @file Rewrites a `tokenizer.json` into an equivalent one that
 * `@huggingface/tokenizers` 0.2.0 gets right, and refuses what it would get wrong
 * without a word. The measure is the Rust library that trains students' tokenizers;
 * each rewrite names the difference it removes and can go when the library does.
 */
import { badInput } from "../core/errors.ts";
import { describeValue, isJsonObject, type JsonObject } from "../formats/json.ts";

/** `\w` of the Rust regex library, which the translator would widen by superscripts and fractions. */
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200C\\u200D";
const PUNCTUATION_REGEX = "[\\p{P}\\x21-\\x2F\\x3A-\\x40\\x5B-\\x60\\x7B-\\x7E]";

export interface AdaptedTokenizer {
  readonly json: JsonObject;
  /** For people: parts that the library only approximates. */
  readonly warnings: readonly string[];
}

/** @throws BadInputError when the file is not a tokenizer or uses a part that cannot be computed exactly. */
export function adaptTokenizerJson(json: JsonObject, where: string): AdaptedTokenizer {
  const warnings: string[] = [];
  checkModel(json["model"], `${where}: model`);
  const preTokenizer = json["pre_tokenizer"];
  return {
    warnings,
    json: {
      ...json,
      added_tokens: checkAddedTokens(json["added_tokens"] ?? [], `${where}: added_tokens`),
      normalizer: checkNormalizer(json["normalizer"] ?? null, `${where}: normalizer`, warnings),
      pre_tokenizer: isNone(preTokenizer) ? null : adaptPreTokenizer(preTokenizer, `${where}: pre_tokenizer`),
      post_processor: json["post_processor"] ?? null,
      decoder: json["decoder"] ?? null,
    },
  };
}

function isNone(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function checkModel(model: unknown, where: string): void {
  if (!isJsonObject(model)) badInput(where, "a tokenizer model", describeValue(model));
  if (!isJsonObject(model["vocab"]) && !Array.isArray(model["vocab"]))
    badInput(`${where}.vocab`, "a vocabulary", describeValue(model["vocab"]));
  const type = model["type"];
  if (type !== undefined && type !== "BPE" && type !== "WordLevel" && type !== "Unigram" && type !== "WordPiece")
    badInput(`${where}.type`, "BPE, WordLevel, Unigram or WordPiece", describeValue(type));
  if (isJsonObject(model["vocab"])) {
    for (const [token, id] of Object.entries(model["vocab"])) {
      if (!Number.isSafeInteger(id) || (id as number) < 0)
        badInput(`${where}.vocab[${JSON.stringify(token)}]`, "a token id", describeValue(id));
    }
  }
  if ("merges" in model && !Array.isArray(model["merges"]))
    badInput(`${where}.merges`, "a list", describeValue(model["merges"]));
  if (typeof model["dropout"] === "number" && model["dropout"] > 0)
    badInput(`${where}.dropout`, "none", String(model["dropout"]), "Tokens would be random: set it to null");
  if (type === "BPE" && model["continuing_subword_prefix"])
    badInput(
      `${where}.continuing_subword_prefix`,
      "none",
      describeValue(model["continuing_subword_prefix"]),
      "Not supported for BPE",
    );
  if (type === "Unigram" && model["byte_fallback"] === true)
    badInput(`${where}.byte_fallback`, "false", "true", "Not supported for Unigram");
}

function checkAddedTokens(tokens: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(tokens)) badInput(where, "a list", describeValue(tokens));
  for (const token of tokens as unknown[]) {
    if (
      !isJsonObject(token) ||
      typeof token["content"] !== "string" ||
      !Number.isSafeInteger(token["id"]) ||
      (token["id"] as number) < 0
    )
      badInput(where, "tokens with id and content", JSON.stringify(token));
    if (token["content"] === "") badInput(where, "tokens with text", "an empty one");
    if (token["single_word"] === true)
      badInput(where, "tokens without single_word", JSON.stringify(token["content"]), "single_word is not supported");
  }
  return tokens as readonly unknown[];
}

function checkNormalizer(normalizer: unknown, where: string, warnings: string[]): unknown {
  if (isNone(normalizer)) return null;
  if (!isJsonObject(normalizer)) badInput(where, "an object", describeValue(normalizer));
  const parts =
    normalizer["type"] === "Sequence" && Array.isArray(normalizer["normalizers"])
      ? (normalizer["normalizers"] as unknown[])
      : [];
  for (const part of parts) checkNormalizer(part, where, warnings);
  if (normalizer["type"] === "Precompiled")
    warnings.push(
      `${where}: the Precompiled map is approximated by Unicode NFKC; rare characters may get other tokens`,
    );
  return normalizer;
}

function split(regex: string, behavior: "Isolated" | "Removed", invert = false): JsonObject {
  return { type: "Split", pattern: { Regex: regex }, behavior, invert };
}

function sequence(...pretokenizers: readonly unknown[]): JsonObject {
  return { type: "Sequence", pretokenizers };
}

function adaptPreTokenizer(part: unknown, where: string): JsonObject {
  if (!isJsonObject(part)) badInput(where, "an object", describeValue(part));
  const type = part["type"];
  switch (type) {
    case "Sequence": {
      const list = part["pretokenizers"];
      if (!Array.isArray(list)) badInput(`${where}.pretokenizers`, "a list", describeValue(list));
      return { type, pretokenizers: list.map((item: unknown) => adaptPreTokenizer(item, where)) };
    }
    case "ByteLevel":
      // Its pattern is put right in the built tokenizer (`patchLibrary.ts`).
      return part;
    case "Digits":
      // The library knows ASCII digits only; Rust's is_numeric is Unicode's N*.
      return split(part["individual_digits"] === true ? "\\p{N}" : "\\p{N}+", "Isolated");
    case "Whitespace":
      // The library's \w is ASCII only.
      return split(`[${WORD}]+|[^${WORD}\\s]+`, "Removed", true);
    case "WhitespaceSplit":
      return split("\\s+", "Removed");
    case "BertPreTokenizer":
      return sequence(split("\\s+", "Removed"), split(PUNCTUATION_REGEX, "Isolated"));
    case "Punctuation":
      return adaptPunctuation(part, where);
    case "FixedLength":
      // The library counts UTF-16 units, Rust characters.
      return split(`[\\s\\S]{1,${Number(part["length"])}}`, "Removed", true);
    case "CharDelimiterSplit":
      return adaptSplit(
        { type: "Split", pattern: { String: part["delimiter"] }, behavior: "Removed", invert: false },
        where,
      );
    case "Metaspace":
      return adaptMetaspace(part);
    case "Split":
      return adaptSplit(part, where);
    default:
      badInput(`${where}.type`, "a supported pre-tokenizer", describeValue(type));
  }
}

/** The library joins runs of punctuation whatever `behavior` says; the default is one piece a character. */
function adaptPunctuation(part: JsonObject, where: string): JsonObject {
  const behavior = part["behavior"] ?? "Isolated";
  if (behavior === "Isolated" || behavior === "Removed") return split(PUNCTUATION_REGEX, behavior);
  if (behavior === "Contiguous") return split(`${PUNCTUATION_REGEX}+`, "Isolated");
  badInput(`${where}.behavior`, "Isolated, Removed or Contiguous", describeValue(behavior));
}

/** The library never splits at the replacement, which is the default in Rust. */
function adaptMetaspace(part: JsonObject): JsonObject {
  const metaspace = part["add_prefix_space"] === false ? { ...part, prepend_scheme: "never" } : part;
  if (part["split"] === false) return metaspace;
  const replacement = typeof part["replacement"] === "string" ? part["replacement"] : "\u2581";
  return sequence(metaspace, mergedWithNext(replacement));
}

/** The library knows Isolated, Removed, and inverted Removed; it takes the others for Isolated, and keeps a removed String. */
function adaptSplit(part: JsonObject, where: string): JsonObject {
  const { behavior, invert, pattern } = part;
  const text = isJsonObject(pattern) ? pattern["String"] : undefined;
  if (behavior === "Removed" || (behavior === "Isolated" && invert !== true)) {
    return typeof text === "string"
      ? split(text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"), behavior, invert === true)
      : part;
  }
  if (invert !== true && typeof text === "string" && /^.$/su.test(text)) {
    const not = `[^${escapeInClass(text)}]`;
    const one = `[${escapeInClass(text)}]`;
    if (behavior === "MergedWithNext") return mergedWithNext(text);
    if (behavior === "MergedWithPrevious") return split(`${not}*${one}|${not}+`, "Removed", true);
    if (behavior === "Contiguous") return split(`${one}+`, "Isolated");
  }
  badInput(
    `${where}.behavior`,
    "Isolated or Removed",
    `${describeValue(behavior)} with ${JSON.stringify(pattern)}${invert === true ? ", inverted" : ""}`,
    "Not supported",
  );
}

/** Splits before each `character`, which stays with what follows it. */
function mergedWithNext(character: string): JsonObject {
  const escaped = escapeInClass(character);
  return split(`[${escaped}][^${escaped}]*|[^${escaped}]+`, "Removed", true);
}

function escapeInClass(character: string): string {
  return character.replace(/[\\\]^&[-]/g, "\\$&");
}
