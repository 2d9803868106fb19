/**
 * @file What a reader of a word problem has in mind after each sentence: who holds
 * how many of what. Not here: numbers (`program.ts`) and sentences (`phrases.ts`).
 */
import { PEOPLE, pronouns, singularContainer, ALL_CONTAINERS } from "./words.ts";

/** Who the running quantity belongs to: a named person, or "each friend" after a share. */
export interface Holder {
  readonly kind: "person" | "each";
  readonly name: string;
  readonly subject: string;
  readonly object: string;
}

export interface Scene {
  readonly holder: Holder;
  /** Plural noun that the running quantity counts. */
  readonly unit: string;
  /** Name to compare or add up with in the question: of the last other person mentioned. */
  readonly rival: string | undefined;
  /** Who and what the problem began with. */
  readonly first: { readonly name: string; readonly unit: string };
  /** Names used so far. */
  readonly names: readonly string[];
}

export function person(name: string): Holder {
  return { kind: "person", name, ...pronouns(name) };
}

/** "each friend" for a plural of the list, undefined for another word. */
export function eachOf(people: string): Holder | undefined {
  const singular = PEOPLE[people];
  if (singular === undefined) return undefined;
  const each = `each ${singular}`;
  return { kind: "each", name: each, subject: each, object: each };
}

export function openingScene(name: string, unit: string): Scene {
  return { holder: person(name), unit, rival: undefined, first: { name, unit }, names: [name] };
}

/** The plural of a container given in either number, undefined for another word. */
export function pluralContainer(word: string): string | undefined {
  return ALL_CONTAINERS.find((plural) => plural === word || singularContainer(plural) === word);
}
