/**
 * @file Sentences of fictional ontologies, written and read: "Each wumpus is a dumpus.",
 * "Dumpuses are not sour.", "Max is a wumpus.", "True or false: Max is sour." The reader
 * knows kinds by their ending (-us), so it reads the published ProntoQA texts too.
 */
import type { Fact, Literal, Problem, Rule } from "./logic.ts";

/** Longest text and sentence that are looked at. */
const MAX_CHARACTERS = 5000;
const MAX_SENTENCE = 200;

const EACH = /^(?:Each|Every|A|An) ([a-z]+us) is (not )?(an? )?([a-z]+)\.$/;
const PLURAL = /^(?:All )?([A-Za-z][a-z]*us)es are (not )?([a-z]+)\.$/;
const SINGLE = /^([A-Z][a-z]+) is (not )?(an? )?([a-z]+)\.$/;
const NO_NAMES: readonly string[] = ["Each", "Every", "A", "An", "All", "It", "True", "False"];
const QUERY = /^True or false: (.+)$/;
/** The published wording, which stands as a sentence of its own before the statement. */
const QUERY_BEFORE = "Is the following statement true or false?";

/** The sentences of a text: cut behind full stops and question marks. */
export function sentencesOf(text: string): readonly string[] {
  return text
    .trim()
    .split(/(?<=[.?])\s+/)
    .filter((sentence) => sentence !== "");
}

/** The predicate of a kind. */
export function kind(concept: string): string {
  return `${/^[aeiou]/.test(concept) ? "an" : "a"} ${concept}`;
}

function literal(not: string | undefined, article: string | undefined, word: string): Literal | undefined {
  const positive = not === undefined;
  if (article !== undefined) return word.endsWith("us") ? { predicate: kind(word), positive } : undefined;
  return { predicate: word, positive };
}

/** The rule that a sentence states, undefined for any other sentence. */
export function readRule(sentence: string): Rule | undefined {
  if (sentence.length > MAX_SENTENCE) return undefined;
  const each = EACH.exec(sentence);
  if (each !== null) {
    const [, concept = "", not, article, word = ""] = each;
    const gives = literal(not, article, word);
    return gives === undefined ? undefined : { when: kind(concept), gives, text: sentence };
  }
  const plural = PLURAL.exec(sentence);
  if (plural === null) return undefined;
  const [, concepts = "", not, word = ""] = plural;
  const gives = word.endsWith("uses") ? literal(not, "a ", word.slice(0, -2)) : literal(not, undefined, word);
  return gives === undefined ? undefined : { when: kind(concepts.toLowerCase()), gives, text: sentence };
}

/** Whom a sentence is about and what it says, undefined for any other sentence. */
export function readFact(sentence: string): (Fact & { readonly entity: string }) | undefined {
  const match = sentence.length > MAX_SENTENCE ? null : SINGLE.exec(sentence);
  const [, entity = "", not, article, word = ""] = match ?? [];
  const said = match === null || NO_NAMES.includes(entity) ? undefined : literal(not, article, word);
  return said === undefined ? undefined : { ...said, entity, text: sentence };
}

/** The problem that a text states, undefined when it has a sentence of another kind, no query, or several individuals. Total. */
export function readProblem(text: string): Problem | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const sentences = [...sentencesOf(text)];
  const last = sentences.pop() ?? "";
  const before = sentences.at(-1) === QUERY_BEFORE;
  if (before) sentences.pop();
  const query = readFact(before ? last : (QUERY.exec(last)?.[1] ?? ""));
  if (query === undefined) return undefined;
  const facts: Fact[] = [];
  const rules: Rule[] = [];
  for (const sentence of sentences) {
    const rule = readRule(sentence);
    const fact = rule === undefined ? readFact(sentence) : undefined;
    if (rule !== undefined) rules.push(rule);
    else if (fact?.entity === query.entity)
      facts.push({ predicate: fact.predicate, positive: fact.positive, text: sentence });
    else return undefined;
  }
  const { entity, predicate, positive } = query;
  return { entity, facts, rules, query: { predicate, positive } };
}

/** `Max is not sour.` */
export function tellFact(entity: string, { predicate, positive }: Literal): string {
  return `${entity} is ${positive ? "" : "not "}${predicate}.`;
}

/** Ways to state a rule. */
export type Wording = "Each" | "Every" | "plural" | "article";

/** Ways to tell the rules of a text, with the wordings of each: as ProntoQA does, or, ours, in one that it does not use. */
export const CLUSTERS = { plain: ["Each", "Every", "plural"], article: ["article"] } as const satisfies Readonly<
  Record<string, readonly Wording[]>
>;
export type Cluster = keyof typeof CLUSTERS;
export const CLUSTER_NAMES: readonly Cluster[] = ["plain", "article"];

/** How the rules of a text are told; "plain" where some are told otherwise than the rest. */
export function clusterOf({ rules }: Problem): Cluster {
  return rules.every(({ text }) => /^An? /.test(text)) ? "article" : "plain";
}

/** `Each wumpus is not sour.`, `Every wumpus is a dumpus.`, `Wumpuses are dumpuses.`, `A wumpus is a dumpus.` */
export function tellRule(when: string, gives: Literal, wording: Wording): string {
  const concept = conceptOf(when) ?? when;
  const not = gives.positive ? "" : "not ";
  if (wording === "article") return `${capital(when)} is ${not}${gives.predicate}.`;
  if (wording !== "plural") return `${wording} ${concept} is ${not}${gives.predicate}.`;
  const other = conceptOf(gives.predicate);
  return `${capital(concept)}es are ${not}${other === undefined ? gives.predicate : `${other}es`}.`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The kind that a predicate names, undefined for a property. */
export function conceptOf(predicate: string): string | undefined {
  return /^an? (.+)$/.exec(predicate)?.[1];
}

/** The text of a problem: its rules, its facts, and the query. */
export function tellProblem({ entity, facts, rules, query }: Problem): string {
  return [...rules, ...facts]
    .map((sentence) => sentence.text)
    .concat(`True or false: ${tellFact(entity, query)}`)
    .join(" ");
}
