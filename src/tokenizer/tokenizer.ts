/**
 * @file Text to token ids and back for a student directory: `tokenizer.json` run by
 * `@huggingface/tokenizers`, with its known mistakes worked around. Not here: how a
 * row becomes a training example (`encodeRow.ts`, `encodeChat.ts`).
 */
import { Tokenizer as LibraryTokenizer } from "@huggingface/tokenizers";
import { badInput, messageOf } from "../core/errors.ts";
import type { FileSource } from "../formats/fileSource.ts";
import { isJsonObject, parseJsonObject, type JsonObject } from "../formats/json.ts";
import { adaptTokenizerJson } from "./adaptTokenizerJson.ts";
import { openChatTemplate, type ChatTemplate } from "./chatTemplate.ts";
import { patchLibrary } from "./patchLibrary.ts";
import {
  findSpecialTokens,
  readTokenizerFiles,
  tokenizerFamily,
  type SpecialTokens,
  type TokenizerFiles,
} from "./specialTokens.ts";

export const TOKENIZER_FILE = "tokenizer.json";

export interface Tokenizer extends SpecialTokens {
  /** The directory, for messages. */
  readonly name: string;
  /** Largest token id plus one, added tokens included; a student's embedding has at least as many rows. */
  readonly vocabSize: number;
  /** How many tokens the tokenizer itself appends after a text (an EOS or SEP of its template). */
  readonly appendedTokens: number;
  /** For people: what could not be reproduced exactly. */
  readonly warnings: readonly string[];
  /**
   * Token ids of a text. A character that a BPE vocabulary cannot express and that has no unknown
   * token is dropped, as in the Rust library.
   * @throws BadInputError for such a part of the text in the other models.
   */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[];
  /**
   * Text of token ids, exactly as written (no clean-up of spaces). Ids without a token, such
   * as the padding rows of an embedding, give nothing; cut-off characters give U+FFFD.
   */
  decode(ids: Iterable<number>, options?: { readonly skipSpecialTokens?: boolean }): string;
  /** Token ids to generate from: `encode(text)` without what the tokenizer puts after a text. */
  encodePrompt(text: string): number[];
  /**
   * Text that `ids` add to a prompt: `decode(prompt ++ ids)` without the text of the prompt, so
   * that a leading space of the first new word is kept (decoders strip it from a text's start).
   */
  decodeContinuation(promptIds: Iterable<number>, ids: Iterable<number>): string;
  /** Text of one token as the vocabulary spells it. */
  idToToken(id: number): string | undefined;
  tokenToId(token: string): number | undefined;
  /** The student's chat template, read when first asked for. @throws BadInputError when it has none, or a broken one. */
  chatTemplate(): ChatTemplate;
}

/** Loads the tokenizer of a student directory. @throws BadInputError for a missing or malformed file, or parts that cannot be computed exactly. */
export async function loadTokenizer(source: FileSource): Promise<Tokenizer> {
  const where = `${source.name}/${TOKENIZER_FILE}`;
  const json = parseJsonObject(await source.readText(TOKENIZER_FILE), where);
  return createTokenizer(json, await readTokenizerFiles(source), source.name);
}

/** A tokenizer from parsed files; `loadTokenizer` for those that are already in memory. */
export function createTokenizer(json: JsonObject, files: TokenizerFiles, name: string): Tokenizer {
  const where = `${name}/${TOKENIZER_FILE}`;
  const adapted = adaptTokenizerJson(overridePrefixSpace(json, files), where);
  const library = build(adapted.json, files, where);
  patchLibrary(library);
  const vocabulary = library.get_vocab();
  const tokenToId = (token: string): number | undefined => library.token_to_id(token);
  const special = findSpecialTokens(files, tokenToId, name);
  applyClassTemplate(library, files, special, adapted.json);
  checkTemplate(adapted.json["post_processor"], tokenToId, where);

  const encode = (
    text: string,
    { addSpecialTokens = true }: { readonly addSpecialTokens?: boolean } = {},
  ): number[] => {
    const { ids, tokens } = library.encode(text, { add_special_tokens: addSpecialTokens });
    const unknown = ids.findIndex((id) => !Number.isInteger(id));
    if (unknown >= 0)
      badInput(
        where,
        "a token for every part of the text",
        `none for ${JSON.stringify(tokens[unknown])}`,
        "The tokenizer has no unknown token",
      );
    return ids;
  };
  const decode = (
    ids: Iterable<number>,
    { skipSpecialTokens = true }: { readonly skipSpecialTokens?: boolean } = {},
  ): string => {
    const known = [...ids].filter((id) => library.id_to_token(id) !== undefined);
    if (known.length === 0) return "";
    return library.decode(known, { skip_special_tokens: skipSpecialTokens, clean_up_tokenization_spaces: false });
  };
  const appendedTokens = countAppended(encode);
  const idToToken = (id: number): string | undefined => library.id_to_token(id);
  let chatTemplate: ChatTemplate | undefined;
  return {
    ...special,
    name,
    vocabSize: 1 + largest(vocabulary.values()),
    appendedTokens,
    warnings: adapted.warnings,
    encode,
    encodePrompt: (text) => (appendedTokens === 0 ? encode(text) : encode(text).slice(0, -appendedTokens)),
    decode,
    decodeContinuation(promptIds, ids) {
      const prompt = [...promptIds];
      const before = decode(prompt);
      const whole = decode([...prompt, ...ids]);
      // A prompt that ends inside a character decodes differently once the character is complete.
      return whole.startsWith(before) ? whole.slice(before.length) : decode(ids);
    },
    idToToken,
    tokenToId,
    chatTemplate: () => (chatTemplate ??= openChatTemplate(files, special, idToToken, name)),
  };
}

function build(json: JsonObject, files: TokenizerFiles, where: string): LibraryTokenizer {
  const model = json["model"] as JsonObject;
  // A word-level model's unknown token is read from the wrong file by the library.
  const config =
    typeof model["unk_token"] === "string"
      ? { ...files.tokenizerConfig, unk_token: model["unk_token"] }
      : files.tokenizerConfig;
  try {
    return new LibraryTokenizer(json, config);
  } catch (error) {
    badInput(where, "a tokenizer that can be built", messageOf(error));
  }
}

function largest(ids: Iterable<number>): number {
  let maximum = -1;
  for (const id of ids) maximum = Math.max(maximum, id);
  return maximum;
}

/** transformers lets `add_prefix_space` of tokenizer_config.json, false by default for GPT-2, overrule a top-level ByteLevel pre-tokenizer. */
function overridePrefixSpace(json: JsonObject, files: TokenizerFiles): JsonObject {
  const preTokenizer = json["pre_tokenizer"];
  if (!isJsonObject(preTokenizer) || preTokenizer["type"] !== "ByteLevel") return json;
  const declared = files.tokenizerConfig["add_prefix_space"];
  if (typeof declared !== "boolean" && tokenizerFamily(files) !== "gpt2") return json;
  return { ...json, pre_tokenizer: { ...preTokenizer, add_prefix_space: declared === true } };
}

/** Llama's and Gemma's classes ignore the file's template: they add BOS unless told not to, and EOS only when told to. */
function applyClassTemplate(
  library: LibraryTokenizer,
  files: TokenizerFiles,
  special: SpecialTokens,
  json: JsonObject,
): void {
  const className = files.tokenizerConfig["tokenizer_class"];
  if (typeof className !== "string" || !/^(Llama|Gemma)Tokenizer(Fast)?$/.test(className)) return;
  const { add_bos_token: addBos, add_eos_token: addEos } = files.tokenizerConfig;
  const item = (id: number | undefined): unknown[] => {
    const token = id === undefined ? undefined : library.id_to_token(id);
    return token === undefined ? [] : [{ SpecialToken: { id: token, type_id: 0 } }];
  };
  const single = [
    ...(addBos === false ? [] : item(special.bosTokenId)),
    { Sequence: { id: "A", type_id: 0 } },
    ...(addEos === true ? item(special.eosTokenId) : []),
  ];
  const model = new LibraryTokenizer(
    {
      ...json,
      model: { type: "WordLevel", vocab: {}, unk_token: null },
      added_tokens: [],
      post_processor: { type: "TemplateProcessing", single, pair: single },
    },
    {},
  );
  library.post_processor = model.post_processor;
}

/** The library puts a template's token names into the text; they must be tokens of that id. */
function checkTemplate(postProcessor: unknown, tokenToId: (token: string) => number | undefined, where: string): void {
  if (!isJsonObject(postProcessor)) return;
  if (postProcessor["type"] === "Sequence" && Array.isArray(postProcessor["processors"])) {
    for (const part of postProcessor["processors"] as unknown[]) checkTemplate(part, tokenToId, where);
  }
  const tokens = postProcessor["special_tokens"];
  if (postProcessor["type"] !== "TemplateProcessing" || !isJsonObject(tokens)) return;
  for (const [token, entry] of Object.entries(tokens)) {
    const ids = isJsonObject(entry) ? entry["ids"] : undefined;
    if (!Array.isArray(ids) || ids.length !== 1 || ids[0] !== tokenToId(token)) {
      badInput(
        `${where}: post_processor: special_tokens[${JSON.stringify(token)}]`,
        "the one id that this token has in the vocabulary",
        JSON.stringify(ids) ?? "nothing",
      );
    }
  }
}

/** Tokens after the text in `encode(text)`, found by comparing with the text alone. */
function countAppended(encode: (text: string, options: { readonly addSpecialTokens: boolean }) => number[]): number {
  for (const probe of ["a", "0", ".", "the"]) {
    let bare: number[];
    let full: number[];
    try {
      bare = encode(probe, { addSpecialTokens: false });
      full = encode(probe, { addSpecialTokens: true });
    } catch {
      continue;
    }
    if (bare.length === 0) continue;
    for (let before = full.length - bare.length; before >= 0; before--) {
      if (bare.every((id, i) => full[before + i] === id)) return full.length - bare.length - before;
    }
  }
  return 0;
}
