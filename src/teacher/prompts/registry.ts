/** @file The prompts of a task, a user's changes to them, their hash, and filling them in. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { badInput, messageOf } from "../../core/errors.ts";
import type { PromptEdits } from "../config.ts";
import type { PromptsView } from "../types.ts";
import { GENERIC_PROMPTS } from "./generic.ts";
import { TEMPLATE_NAMES } from "./types.ts";
import type { PromptSet, TemplateName } from "./types.ts";
import { WORD_PROBLEM_PROMPTS } from "./wordProblems.ts";

const BY_TASK: Readonly<Record<string, PromptSet>> = { "word-problems": WORD_PROBLEM_PROMPTS };

/** Every built-in set. */
export const PROMPT_SETS: readonly PromptSet[] = [GENERIC_PROMPTS, ...Object.values(BY_TASK)];

const PLACEHOLDER = /\{\{(\w+)\}\}/g;
/** A value that holds what the templates use as tags would end its own block. */
const TAG = /<(?=\/?(?:question|answer|first|second)>)/gi;
const ESCAPED_TAG = /&lt;(?=\/?(?:question|answer|first|second)>)/gi;

/**
 * The prompts for task `taskName`, with `edits` in place of the built-in templates.
 * @throws BadInputError for an edited template that names what it is not given, or leaves out what it needs.
 */
export function promptsFor(taskName: string, edits: PromptEdits = {}): PromptSet {
  const base = Object.hasOwn(BY_TASK, taskName) ? (BY_TASK[taskName] ?? GENERIC_PROMPTS) : GENERIC_PROMPTS;
  const changed = Object.entries(edits) as [TemplateName, string][];
  for (const [name, text] of changed) {
    if (!Object.hasOwn(TEMPLATE_NAMES, name))
      badInput("prompts", `templates among ${Object.keys(TEMPLATE_NAMES).join(", ")}`, JSON.stringify(name));
    if (typeof text !== "string" || text.trim() === "") badInput(`prompt "${name}"`, "a text", "none");
    const known: readonly string[] = TEMPLATE_NAMES[name];
    const used = [...text.matchAll(PLACEHOLDER)].map((match) => match[1] ?? "");
    const unknown = used.find((value) => !known.includes(value));
    if (unknown !== undefined)
      badInput(`prompt "${name}"`, `values among ${known.join(", ") || "none"}`, `{{${unknown}}}`);
    if (known.includes("question") && !used.includes("question"))
      badInput(`prompt "${name}"`, "a text with {{question}}", "one without");
  }
  return changed.length === 0
    ? base
    : { ...base, name: `${base.name}, edited`, templates: { ...base.templates, ...Object.fromEntries(changed) } };
}

/** SHA-256 of everything a set says, as hexadecimal digits. */
export function promptsHash({ templates, operations }: PromptSet): string {
  const sorted = (texts: Readonly<Record<string, string>>) =>
    Object.entries(texts).sort(([a], [b]) => (a < b ? -1 : 1));
  return bytesToHex(sha256(utf8ToBytes(JSON.stringify([sorted(templates), sorted(operations)]))));
}

/** The template with its values; tags inside a value are escaped, so that no value ends its block. */
export function fillTemplate(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(PLACEHOLDER, (_, name: string) => (values[name] ?? "").replaceAll(TAG, "&lt;"));
}

/** The values that `text` was filled with, undefined when it is no filling of `template`: the inverse of `fillTemplate`. */
export function matchTemplate(template: string, text: string): Readonly<Record<string, string>> | undefined {
  const values: Record<string, string> = {};
  const parts = template.split(/\{\{(\w+)\}\}/);
  const [head = ""] = parts;
  if (!text.startsWith(head)) return undefined;
  let at = head.length;
  for (let i = 1; i < parts.length; i += 2) {
    const [name = "", literal = ""] = parts.slice(i, i + 2);
    const isLast = i + 2 >= parts.length;
    const end = isLast ? (text.endsWith(literal) ? text.length - literal.length : -1) : text.indexOf(literal, at);
    if (end < at) return undefined;
    values[name] = text.slice(at, end).replaceAll(ESCAPED_TAG, "<");
    at = end + literal.length;
  }
  return at === text.length ? values : undefined;
}

/** The prompts of task `taskName` for people, whatever is wrong with some of `edits`. */
export function viewPrompts(taskName: string, edits: PromptEdits): PromptsView {
  const problems: Record<string, string> = {};
  const usable: PromptEdits = {};
  for (const [name, text] of Object.entries(edits) as [TemplateName, string][]) {
    try {
      promptsFor(taskName, { [name]: text });
      Object.assign(usable, { [name]: text });
    } catch (error) {
      problems[name] = messageOf(error);
    }
  }
  const set = promptsFor(taskName, usable);
  const { name, version, templates } = set;
  return { name, version, sha256: promptsHash(set), templates, values: TEMPLATE_NAMES, problems };
}
