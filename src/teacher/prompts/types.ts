/** @file What a set of prompts is: templates with `{{names}}`, as plain data with a version. */
import type { Operation } from "../types.ts";

/** Names of templates, and the values each may mention. */
export const TEMPLATE_NAMES = {
  system: [],
  propose: ["operation", "question", "answer"],
  answer: ["exampleQuestion", "exampleAnswer", "question"],
  pair: ["operation", "question", "answer"],
  judge: ["question", "first", "second"],
} as const;

export type TemplateName = keyof typeof TEMPLATE_NAMES;

/** Prompts for one task, or for any. Raise `version` with every change of a text: manifests and caches tell prompts apart by their hash. */
export interface PromptSet {
  readonly name: string;
  readonly version: number;
  readonly templates: Readonly<Record<TemplateName, string>>;
  /** What `{{operation}}` says. */
  readonly operations: Readonly<Record<Operation, string>>;
}
