/** @file What a phrasing is. The phrasings themselves: `plainPhrases.ts`, `unfamiliarPhrases.ts`. */
import type { StepOp } from "./program.ts";
import { Template } from "./template.ts";
import type { NounKind } from "./words.ts";

/**
 * Families of wording. "plain" is what the built-in student is pretrained on; each
 * other cluster says the same arithmetic in a way it has not seen:
 * colloquial verbs; passive voice; indirect comparisons ("she now has 5 more than
 * Ben": Ben has fewer); calendar ("every day for a week" = 7 times); numbers in
 * dozens or spelled out; a distractor sentence; the question first; backward (the
 * end is given, the start is asked).
 */
export const CLUSTERS = [
  "plain",
  "colloquial",
  "passive",
  "indirect",
  "calendar",
  "dozens",
  "spelled",
  "distractor",
  "question-first",
  "backward",
] as const;
export type Cluster = (typeof CLUSTERS)[number];

/** How a problem begins: a quantity, a product of two, or unknown (backward). */
export const OPENING_OPS = ["count", "groups", "unknown"] as const;
export type OpeningOp = (typeof OPENING_OPS)[number];

/** What a sentence does. "ending" gives the final quantity of a backward problem. */
export type PhraseOp = OpeningOp | StepOp | "ending" | "distractor";

/** One way to say one thing: a sentence, or a sentence and the question that must follow it, or the question alone. */
export interface Phrase {
  readonly op: PhraseOp;
  readonly cluster: Cluster;
  readonly text: Template | undefined;
  /** The question that this phrasing ends the problem with. */
  readonly ask: Template | undefined;
  /** What may be counted where this is said. */
  readonly kinds: readonly NounKind[];
  /** The last number, where the wording itself fixes it ("half of", "for a week"). */
  readonly fixed: number | undefined;
  /** Cannot be said of "each friend". */
  readonly personOnly: boolean;
}

interface PhraseOptions {
  readonly ask?: string;
  readonly fixed?: number;
  readonly anyHolder?: boolean;
}

/** A phrasing from its template source; `text` is undefined for a question alone. Said of persons only unless `anyHolder`. */
export function phrase(
  op: PhraseOp,
  cluster: Cluster,
  kinds: readonly NounKind[],
  text: string | undefined,
  options: PhraseOptions = {},
): Phrase {
  return {
    op,
    cluster,
    kinds,
    text: text === undefined ? undefined : new Template(text),
    ask: options.ask === undefined ? undefined : new Template(options.ask),
    fixed: options.fixed,
    personOnly: options.anyHolder !== true,
  };
}

/** A question that fits after any of `after` (the last sentence's op), unless that sentence brings its own. */
export interface Ask {
  readonly cluster: Cluster;
  readonly after: readonly PhraseOp[];
  readonly template: Template;
  readonly personOnly: boolean;
}

export function ask(
  cluster: Cluster,
  after: readonly PhraseOp[],
  text: string,
  options: { readonly anyHolder?: boolean } = {},
): Ask {
  return { cluster, after, template: new Template(text), personOnly: options.anyHolder !== true };
}

/** Short id of a phrasing, unique among all: its own words. */
export function phraseId(p: Phrase): string {
  return [p.op, p.text?.source, p.ask?.source].filter((part) => part !== undefined).join(" | ");
}
