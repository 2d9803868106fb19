/**
 * @file Rows to training examples: token ids and how many of the last ones carry loss.
 * Source: the contract of the design and TRL's prompt-completion tokenization.
 */
import { BadInputError, badInput } from "../core/errors.ts";
import type { Conversation, EncodedRow, ExampleRow } from "../student/types.ts";
import { encodeChat } from "./encodeChat.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface EncodeRowOptions {
  /** Longest row the student can read, in tokens. */
  readonly maxPositions: number;
  /** Drop tokens from the left of the prompt of rows that are too long, instead of refusing them. */
  readonly truncate?: boolean;
  /** Names the data in errors. */
  readonly where?: string;
}

/** An encoded row and what happened on the way. */
export interface RowEncoding extends EncodedRow {
  /** The prompt's own tokens are not the first tokens of prompt and completion together. */
  readonly boundaryMismatch: boolean;
  /** Tokens that truncation dropped. */
  readonly droppedTokens: number;
}

/**
 * `encode(prompt) ++ encode(prompt + completion)[len(encode(prompt)):] ++ EOS`; loss on the
 * completion's tokens and EOS. Tokens that the tokenizer itself puts at the end of a text
 * are left out, and an EOS that the completion already ends with is not doubled. A `text`
 * row is `encode(text) ++ EOS` with loss on all but the first token. Of a conversation, what
 * the assistant wrote carries loss (`encodeChat.ts`), and the prompt is all that comes before
 * the first of it. The first token of a row is never predicted, so it carries no loss even
 * where the prompt is empty.
 * @throws BadInputError naming the row when it is longer than `maxPositions`, when its
 * completion alone is, or when nothing is left to predict.
 */
export function encodeRow(tokenizer: Tokenizer, row: ExampleRow, options: EncodeRowOptions): RowEncoding {
  const id = row.id ?? "";
  const where = `${options.where === undefined ? "" : `${options.where}: `}row ${JSON.stringify(id)}`;
  if ("messages" in row) return encodeConversation(tokenizer, row, where, options);
  const eos = tokenizer.eosTokenId;
  if (eos === undefined)
    badInput(
      tokenizer.name,
      "an end-of-sequence token",
      "none in tokenizer_config.json, config.json or generation_config.json",
      "Add eos_token to tokenizer_config.json",
    );
  const prompt = "prompt" in row ? tokenizer.encodePrompt(row.prompt) : [];
  const whole = tokenizer.encodePrompt("prompt" in row ? row.prompt + row.completion : row.text);
  const completion = whole.slice(prompt.length);
  const boundaryMismatch = prompt.some((id, i) => whole[i] !== id);
  if (completion.length === 0 || !tokenizer.eosTokenIds.includes(completion.at(-1) as number)) completion.push(eos);

  const droppedTokens = excessTokens(prompt.length, completion.length, where, options);
  const ids = Int32Array.from([...prompt.slice(droppedTokens), ...completion]);
  const completionTokens = Math.min(completion.length, ids.length - 1);
  if (completionTokens === 0)
    badInput(where, "at least one token to predict", "an empty row", "Give it a prompt or a completion");
  return { id, ids, completionTokens, boundaryMismatch, droppedTokens };
}

function encodeConversation(
  tokenizer: Tokenizer,
  row: Conversation,
  where: string,
  options: EncodeRowOptions,
): RowEncoding {
  const { ids, mask, boundaryMismatch } = encodeChat(tokenizer, row, where);
  const promptTokens = mask.indexOf(1);
  if (promptTokens < 0)
    badInput(
      where,
      "at least one token of the assistant to predict",
      "none",
      "The chat template writes no answer for it",
    );
  const droppedTokens = excessTokens(promptTokens, ids.length - promptTokens, where, options);
  const lossMask = mask.slice(droppedTokens);
  lossMask[0] = 0;
  return {
    id: row.id ?? "",
    ids: Int32Array.from(ids.slice(droppedTokens)),
    completionTokens: lossMask.reduce((sum, value) => sum + value, 0),
    lossMask,
    boundaryMismatch,
    droppedTokens,
  };
}

/** Whether `encode` throws because its row is longer than the context, and for nothing else. @throws any other error of it. */
export function isTooLong(encode: () => unknown): boolean {
  try {
    encode();
    return false;
  } catch (error) {
    if (error instanceof BadInputError && error.details?.["tooLong"] === true) return true;
    throw error;
  }
}

/** Tokens to drop from the left of the prompt. @throws BadInputError when the row is too long and may not, or cannot, be cut. */
function excessTokens(
  promptTokens: number,
  completionTokens: number,
  where: string,
  { maxPositions, truncate = false }: EncodeRowOptions,
): number {
  const excess = Math.max(0, promptTokens + completionTokens - maxPositions);
  if (excess > 0 && !truncate) {
    const tokens = promptTokens + completionTokens;
    throw new BadInputError(
      `${where}: expected at most ${maxPositions} tokens (the student's context), got ${tokens} (prompt ${promptTokens}, completion with EOS ${completionTokens}). Shorten the row, or use --truncate to drop tokens from the left of the prompt`,
      { details: { tooLong: true } },
    );
  }
  if (excess > promptTokens)
    badInput(
      where,
      `a completion of at most ${maxPositions} tokens (the student's context)`,
      `${completionTokens} with EOS`,
      "The completion is never cut: shorten it",
    );
  return excess;
}

/** Rows of one file, encoded in order, with one warning a kind of trouble. @throws BadInputError as `encodeRow`. */
export function encodeRows(
  tokenizer: Tokenizer,
  rows: readonly ExampleRow[],
  options: EncodeRowOptions,
): { readonly rows: readonly EncodedRow[]; readonly warnings: readonly string[] } {
  const encoded = rows.map((row) => encodeRow(tokenizer, row, options));
  const name = options.where ?? "data";
  const warnings: string[] = [];
  const mismatched = encoded.filter((row) => row.boundaryMismatch);
  if (mismatched.length > 0) {
    warnings.push(
      `${name}: in ${mismatched.length} of ${rows.length} rows (first: ${JSON.stringify(mismatched[0]?.id)}) the prompt's tokens change when the completion follows; the completion begins after as many tokens as the prompt has alone. End prompts so that a token ends there, for example before a space`,
    );
  }
  const truncated = encoded.filter((row) => row.droppedTokens > 0);
  if (truncated.length > 0)
    warnings.push(
      `${name}: ${truncated.length} of ${rows.length} prompts were cut from the left to fit ${options.maxPositions} tokens`,
    );
  return { rows: encoded.map(({ boundaryMismatch: _, droppedTokens: __, ...row }) => row), warnings };
}
