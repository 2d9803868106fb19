/**
 * @file A student's own chat template: messages to the text that the model was trained
 * on, and which of it the assistant wrote. Rendered by `@huggingface/jinja`; which
 * tokens carry loss is in `encodeChat.ts`. Source: transformers' `apply_chat_template`,
 * with its settings (`trim_blocks`, `lstrip_blocks`, the special tokens as variables)
 * and its `{% generation %}` tag.
 */
import { Template } from "@huggingface/jinja";
import { badInput, messageOf } from "../core/errors.ts";
import { describeValue, isJsonObject } from "../formats/json.ts";
import type { Chat } from "../student/types.ts";
import { CHAT_TEMPLATE_FILE, type SpecialTokens, type TokenizerFiles } from "./specialTokens.ts";

/** Characters `[start, end)` of a text, in UTF-16 units. */
export interface TextSpan {
  readonly start: number;
  readonly end: number;
}

export interface RenderedChat {
  readonly text: string;
  /** What stands between `{% generation %}` tags; empty where the template has none. */
  readonly generated: readonly TextSpan[];
}

export interface ChatTemplate {
  /** The file it stands in, for messages. */
  readonly where: string;
  /** The template says itself what the assistant wrote (`{% generation %}`). */
  readonly marksGenerated: boolean;
  /**
   * The text of the messages. `addGenerationPrompt` ends it with what begins the assistant's answer.
   * @param at names the row in errors.
   * @throws BadInputError when the template refuses the messages.
   */
  render(chat: Chat, at: string, options?: { readonly addGenerationPrompt?: boolean }): RenderedChat;
}

/** Unicode noncharacters: no text may contain them, so that a template can emit them as marks. */
const BEGIN = "\u{FDD0}";
const END = "\u{FDD1}";
const MARKS = new RegExp(`[${BEGIN}${END}]`);

const GENERATION_TAG = /\{%(-?)\s*(end)?generation\s*(-?)%\}/g;

/** The template of a student's files. Nothing of it is read before it is used. @throws BadInputError when there is none, or it cannot be parsed. */
export function openChatTemplate(
  files: TokenizerFiles,
  special: SpecialTokens,
  idToToken: (id: number) => string | undefined,
  name: string,
): ChatTemplate {
  const { text, where } = findTemplate(files, name);
  const template = parseTemplate(text, where);
  const variables = specialTokenTexts(files, special, idToToken);
  return {
    where,
    marksGenerated: text.search(GENERATION_TAG) >= 0,
    render: (chat, at, { addGenerationPrompt = false } = {}) => {
      if (chat.messages.some(({ content }) => MARKS.test(content)))
        badInput(at, "text without the noncharacters U+FDD0 and U+FDD1", "one of them");
      let marked: string;
      try {
        marked = template.render({
          ...variables,
          ...chat.templateArguments,
          messages: chat.messages,
          tools: null,
          documents: null,
          add_generation_prompt: addGenerationPrompt,
        });
      } catch (error) {
        badInput(
          at,
          `messages that the chat template of ${where} accepts`,
          `its error ${JSON.stringify(messageOf(error))}`,
        );
      }
      return readMarks(marked, where);
    },
  };
}

function findTemplate(files: TokenizerFiles, name: string): { readonly text: string; readonly where: string } {
  if (files.chatTemplate !== undefined) return { text: files.chatTemplate, where: `${name}/${CHAT_TEMPLATE_FILE}` };
  const where = `${name}/tokenizer_config.json: chat_template`;
  const value = files.tokenizerConfig["chat_template"];
  if (typeof value === "string") return { text: value, where };
  if (value === undefined || value === null)
    badInput(
      name,
      `a chat template (${CHAT_TEMPLATE_FILE}, or chat_template in tokenizer_config.json) for rows with messages`,
      "none",
      "This student was not made for conversations: write rows with prompt and completion as text, or add a template",
    );
  if (!Array.isArray(value)) badInput(where, "a template or a list of named templates", describeValue(value));
  const named = value.filter(isJsonObject);
  const found = named.find((entry) => entry["name"] === "default")?.["template"];
  if (typeof found !== "string")
    badInput(
      where,
      'a template of the name "default"',
      `the names ${named.map((entry) => JSON.stringify(entry["name"])).join(", ") || "of none"}`,
      `Copy the one you mean into ${CHAT_TEMPLATE_FILE}`,
    );
  return { text: found, where: `${where} "default"` };
}

/**
 * The library drops `{% generation %}` tags. Here each becomes an assignment, a mark and an
 * assignment: two statements, so that white space before and after goes where it goes
 * beside any statement.
 */
function parseTemplate(text: string, where: string): Template {
  const marked = text.replace(
    GENERATION_TAG,
    (_, left: string, end: string | undefined, right: string) =>
      `{%${left} set generation_mark = 0 %}{{ "${end === undefined ? BEGIN : END}" }}{% set generation_mark = 0 ${right}%}`,
  );
  try {
    return new Template(marked);
  } catch (error) {
    badInput(where, "a Jinja template that can be parsed", messageOf(error));
  }
}

/** The variables that transformers defines: those special tokens that the tokenizer has. */
function specialTokenTexts(
  { tokenizerConfig, specialTokensMap }: TokenizerFiles,
  special: SpecialTokens,
  idToToken: (id: number) => string | undefined,
): Readonly<Record<string, string>> {
  const out: Record<string, string> = {};
  for (const [name, id] of [
    ["bos_token", special.bosTokenId],
    ["eos_token", special.eosTokenId],
    ["pad_token", special.padTokenId],
  ] as const) {
    const text = id === undefined ? undefined : idToToken(id);
    if (text !== undefined) out[name] = text;
  }
  for (const name of ["unk_token", "sep_token", "cls_token", "mask_token"]) {
    const value = tokenizerConfig[name] ?? specialTokensMap[name];
    const text = isJsonObject(value) ? value["content"] : value;
    if (typeof text === "string") out[name] = text;
  }
  return out;
}

/** The text without its marks, and what stood between them. */
function readMarks(marked: string, where: string): RenderedChat {
  let text = "";
  let start: number | undefined;
  const generated: TextSpan[] = [];
  for (const part of marked.split(/([\u{FDD0}\u{FDD1}])/u)) {
    if (part !== BEGIN && part !== END) {
      text += part;
      continue;
    }
    if ((part === BEGIN) === (start !== undefined))
      badInput(where, "{% generation %} and {% endgeneration %} in turns", "two of a kind in one text");
    if (start !== undefined && text.length > start) generated.push({ start, end: text.length });
    start = part === BEGIN ? text.length : undefined;
  }
  if (start !== undefined) badInput(where, "{% endgeneration %} after {% generation %}", "the end of the text");
  return { text, generated };
}
