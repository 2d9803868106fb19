/**
 * @file Which tokens begin, end and pad a text, from the files beside
 * `tokenizer.json`, in transformers' order: `tokenizer_config.json` (and the older
 * `special_tokens_map.json`, which wins only where the former lists no added tokens),
 * the defaults of the tokenizer's class, then the ids of `config.json` and
 * `generation_config.json`.
 */
import { badInput } from "../core/errors.ts";
import type { FileSource } from "../formats/fileSource.ts";
import { describeValue, isJsonObject, parseJsonObject, type JsonObject } from "../formats/json.ts";

/** The JSON files beside `tokenizer.json`; an absent one is an empty object. */
export interface TokenizerFiles {
  readonly tokenizerConfig: JsonObject;
  readonly specialTokensMap: JsonObject;
  readonly config: JsonObject;
  readonly generationConfig: JsonObject;
  /** Text of `chat_template.jinja`, which wins over `chat_template` of tokenizer_config.json. */
  readonly chatTemplate?: string;
}

export const CHAT_TEMPLATE_FILE = "chat_template.jinja";

export async function readTokenizerFiles(source: FileSource): Promise<TokenizerFiles> {
  const read = async (path: string): Promise<JsonObject> =>
    (await source.has(path)) ? parseJsonObject(await source.readText(path), `${source.name}/${path}`) : {};
  return {
    tokenizerConfig: await read("tokenizer_config.json"),
    specialTokensMap: await read("special_tokens_map.json"),
    config: await read("config.json"),
    generationConfig: await read("generation_config.json"),
    ...((await source.has(CHAT_TEMPLATE_FILE)) ? { chatTemplate: await source.readText(CHAT_TEMPLATE_FILE) } : {}),
  };
}

export interface SpecialTokens {
  readonly bosTokenId: number | undefined;
  /** The token that ends a training text; undefined when the files name none. */
  readonly eosTokenId: number | undefined;
  readonly padTokenId: number | undefined;
  /** Tokens that end generation: those of generation_config.json (else config.json), and `eosTokenId`. */
  readonly eosTokenIds: readonly number[];
}

type Role = "bos" | "eos" | "pad";

/** Tokens that the tokenizer classes of the supported families assume where no file says otherwise. */
const CLASS_DEFAULTS: Readonly<Record<string, Readonly<Partial<Record<Role, string>>>>> = {
  gpt2: { bos: "<|endoftext|>", eos: "<|endoftext|>" },
  llama: { bos: "<s>", eos: "</s>" },
  qwen2: { eos: "<|endoftext|>", pad: "<|endoftext|>" },
};

/** The tokenizer's family: its class without "Tokenizer" and "Fast", or the model's type where no class is given. */
export function tokenizerFamily({ tokenizerConfig, config }: TokenizerFiles): string {
  const name = tokenizerConfig["tokenizer_class"];
  if (typeof name === "string") return name.replace(/Tokenizer(Fast)?$/, "").toLowerCase();
  const modelType = config["model_type"];
  return typeof modelType === "string" ? modelType : "";
}

/**
 * @param tokenToId id of a token's text, undefined when the vocabulary lacks it.
 * @throws BadInputError when the files name an end-of-sequence token that the vocabulary lacks, or ids that are none.
 */
export function findSpecialTokens(
  files: TokenizerFiles,
  tokenToId: (token: string) => number | undefined,
  where: string,
): SpecialTokens {
  const find = (role: Role): number | undefined => {
    const text = tokenText(files, role, where);
    if (text !== undefined) {
      const id = tokenToId(text);
      if (id !== undefined) return id;
      if (role === "eos")
        badInput(
          `${where}: eos_token`,
          "a token of the vocabulary",
          JSON.stringify(text),
          "Correct eos_token in tokenizer_config.json",
        );
      return undefined;
    }
    const assumed = CLASS_DEFAULTS[tokenizerFamily(files)]?.[role];
    const assumedId = assumed === undefined ? undefined : tokenToId(assumed);
    if (assumedId !== undefined) return assumedId;
    return readIds(files.config, role, where)[0] ?? readIds(files.generationConfig, role, where)[0];
  };
  const eosTokenId = find("eos");
  const generationIds = readIds(files.generationConfig, "eos", where);
  const declared = generationIds.length > 0 ? generationIds : readIds(files.config, "eos", where);
  return {
    bosTokenId: find("bos"),
    eosTokenId,
    padTokenId: find("pad"),
    eosTokenIds: [...new Set([...(eosTokenId === undefined ? [] : [eosTokenId]), ...declared])],
  };
}

function tokenText(
  { tokenizerConfig, specialTokensMap }: TokenizerFiles,
  role: Role,
  where: string,
): string | undefined {
  const key = `${role}_token`;
  const newer = readTokenText(tokenizerConfig[key], `${where}: tokenizer_config.json: ${key}`);
  const older = readTokenText(specialTokensMap[key], `${where}: special_tokens_map.json: ${key}`);
  return "added_tokens_decoder" in tokenizerConfig ? (newer ?? older) : (older ?? newer);
}

/** A special token is written as its text or as an object with `content`. */
function readTokenText(value: unknown, where: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  const text = isJsonObject(value) ? value["content"] : value;
  if (typeof text !== "string") badInput(where, "a token's text", describeValue(value));
  return text;
}

function readIds(config: JsonObject, role: Role, where: string): readonly number[] {
  const value = config[`${role}_token_id`];
  if (value === undefined || value === null) return [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const id of list) {
    if (!Number.isSafeInteger(id) || (id as number) < 0)
      badInput(`${where}: ${role}_token_id`, "a token id or a list of them", describeValue(value));
  }
  return list as readonly number[];
}
