/**
 * @file Conversations to token ids, and which of the tokens carry loss: those that the
 * assistant wrote, in every turn. Source: TRL's `assistant_only_loss` and its
 * conversational prompt-completion rows; where a template does not mark the assistant's
 * text, it is found by rendering parts of the conversation, and every step is verified.
 */
import { badInput } from "../core/errors.ts";
import type { Chat, Conversation } from "../student/types.ts";
import type { ChatTemplate, TextSpan } from "./chatTemplate.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** Tokens of a conversation; `mask` has a 1 for each that carries loss. */
export interface EncodedChat {
  readonly ids: readonly number[];
  readonly mask: Uint8Array;
  /** A turn begins or ends inside a token, which then counts as the assistant's. */
  readonly boundaryMismatch: boolean;
}

/** A text that no template treats specially, to find where a turn's content stands. */
const PROBE = "\u{FDD2}";

/**
 * `encode(template(messages))` without special tokens of the tokenizer's own: the template
 * writes them, the last end-of-sequence token too. Loss on `{% generation %}` blocks where
 * the template has them; else on every assistant turn, from behind its generation prompt
 * to the end of what the turn adds to the text, as in TRL's training templates. With
 * `promptLength`, on all that follows the prompt and its generation prompt.
 * @throws BadInputError naming the row when the template refuses it or leaves a message out,
 * when there is no assistant turn, or when its text cannot be told from the rest.
 */
export function encodeChat(tokenizer: Tokenizer, row: Conversation, at: string): EncodedChat {
  const template = tokenizer.chatTemplate();
  const { messages, promptLength } = row;
  const { text, generated } = template.render(row, at);
  checkAllRendered(template, row, text, at);
  let spans: readonly TextSpan[];
  if (promptLength !== undefined)
    spans = [{ start: promptEnd(template, row, promptLength, text, at), end: text.length }];
  else if (!messages.some(isAssistant))
    badInput(at, "at least one assistant message to learn from", `messages of ${rolesOf(row)} only`);
  else if (template.marksGenerated) spans = generated;
  else spans = findTurns(template, row, text, at);
  return markTokens(tokenizer, text, spans);
}

/** Token ids to generate an assistant's answer from. @throws BadInputError when the last message is the assistant's, or the template refuses the messages. */
export function encodeChatPrompt(tokenizer: Tokenizer, chat: Chat, at: string): number[] {
  const { text } = renderPrompt(tokenizer.chatTemplate(), chat, at);
  return tokenizer.encode(text, { addSpecialTokens: false });
}

function renderPrompt(template: ChatTemplate, chat: Chat, at: string): { readonly text: string } {
  const last = chat.messages.at(-1);
  if (last === undefined || isAssistant(last))
    badInput(at, "a last message for the assistant to answer", `messages of ${rolesOf(chat)}`);
  const { text } = template.render(chat, at, { addGenerationPrompt: true });
  checkAllRendered(template, chat, text, at);
  return { text };
}

/** Templates drop roles that they do not know: then changing the content changes nothing. */
function checkAllRendered(template: ChatTemplate, chat: Chat, text: string, at: string): void {
  chat.messages.forEach((message, index) => {
    if (text.includes(message.content.trim())) return;
    const messages = chat.messages.with(index, { ...message, content: `${message.content}x` });
    if (template.render({ ...chat, messages }, at).text !== template.render(chat, at).text) return;
    badInput(
      at,
      "a chat template that writes every message",
      `message ${index + 1} (${message.role}) left out by ${template.where}`,
      "The template does not know this role: leave the message out, or put its text into another one",
    );
  });
}

function promptEnd(template: ChatTemplate, row: Conversation, length: number, text: string, at: string): number {
  const prompt = renderPrompt(template, { ...row, messages: row.messages.slice(0, length) }, `${at}: prompt`);
  if (!text.startsWith(prompt.text)) rejectPrefix(template, "the prompt with the completion behind it", at);
  return prompt.text.length;
}

/**
 * Assistant turns of a template without marks. A turn begins where the messages before it
 * end together with the generation prompt, which must begin the whole text. It ends where
 * the messages up to it end; templates that write a turn differently once others follow
 * (Qwen3 drops its thinking) are asked with a probe what follows the turn's content.
 */
function findTurns(template: ChatTemplate, row: Conversation, text: string, at: string): TextSpan[] {
  const spans: TextSpan[] = [];
  row.messages.forEach((message, index) => {
    if (!isAssistant(message)) return;
    const turn = `${at}: message ${index + 1}`;
    const before = template.render({ ...row, messages: row.messages.slice(0, index) }, turn, {
      addGenerationPrompt: true,
    }).text;
    if (!text.startsWith(before)) rejectPrefix(template, "an assistant turn behind its generation prompt", turn);
    const after = template.render({ ...row, messages: row.messages.slice(0, index + 1) }, turn).text;
    const end = text.startsWith(after) ? after.length : probeEnd(template, row, index, text, turn);
    if (end < Math.max(before.length, spans.at(-1)?.end ?? 0))
      rejectPrefix(template, "an assistant turn behind its generation prompt", turn);
    spans.push({ start: before.length, end });
  });
  return spans;
}

/** Where turn `index` ends in `text`: behind what the template writes after the content of a last turn. */
function probeEnd(template: ChatTemplate, row: Conversation, index: number, text: string, at: string): number {
  const message = row.messages[index];
  const probed = row.messages.map((other, i) =>
    i === index ? { ...message, role: other.role, content: PROBE } : other,
  );
  const tailOf = (count: number): string =>
    template.render({ ...row, messages: probed.slice(0, count) }, at).text.split(PROBE)[1] ?? "";
  const tail = tailOf(probed.length);
  const closing = tailOf(index + 1);
  const contentEnd = text.length - tail.length;
  if (closing === "" || !text.endsWith(tail) || !text.startsWith(closing, contentEnd))
    rejectPrefix(template, "an assistant turn with others behind it", at);
  return contentEnd + closing.length;
}

function rejectPrefix(template: ChatTemplate, what: string, at: string): never {
  badInput(
    at,
    `a chat template that leaves the text before ${what} as it is`,
    `one that changes it (${template.where})`,
    "Which text is the assistant's cannot be told: put {% generation %} and {% endgeneration %} around it in the template",
  );
}

/** Tokens that hold a character of a span carry loss; the first token, which nothing predicts, never does. */
function markTokens(tokenizer: Tokenizer, text: string, spans: readonly TextSpan[]): EncodedChat {
  const encode = (part: string): number[] => tokenizer.encode(part, { addSpecialTokens: false });
  const ids = encode(text);
  let boundaryMismatch = false;
  /**
   * Tokens that the first `length` characters fill, and whether the last of them ends there. Line
   * ends and spaces may be split otherwise when nothing follows: then the rest, alone, is looked for.
   */
  const tokensBefore = (length: number): { readonly count: number; readonly exact: boolean } => {
    const before = encode(text.slice(0, length));
    const differing = before.findIndex((id, i) => ids[i] !== id);
    if (differing < 0) return { count: before.length, exact: true };
    const rest = encode(text.slice(length));
    const count = ids.length - rest.length;
    if (count >= differing && rest.every((id, i) => ids[count + i] === id)) return { count, exact: true };
    boundaryMismatch = true;
    return { count: differing, exact: false };
  };
  const mask = new Uint8Array(ids.length);
  for (const { start, end } of spans) {
    const last = tokensBefore(end);
    mask.fill(1, tokensBefore(start).count, last.exact ? last.count : last.count + 1);
  }
  mask[0] = 0;
  return { ids, mask, boundaryMismatch };
}

function isAssistant({ role }: { readonly role: string }): boolean {
  return role === "assistant";
}

function rolesOf({ messages }: Chat): string {
  return messages.map(({ role }) => role).join(", ") || "nobody";
}
