/**
 * @file Sentence templates that work in both directions: filled with words they
 * give a sentence, matched against a sentence they give the words back.
 *
 * `{slot}` is *bound* when the scene decides its text (who "she" is, what is being
 * counted) and *free* when it brings something new (a number, a name, a place).
 * A sentence starts with a capital whatever its first slot is.
 */
import type { Scene } from "./scene.ts";
import {
  ALL_CONTAINERS,
  ALL_NOUNS,
  FRACTION_PATTERN,
  NAMES,
  NUMBER_PATTERN,
  PEOPLE,
  PLACES,
  RELATIVES,
  TIMES_PATTERN,
  singularContainer,
} from "./words.ts";

const NUMBER_SLOTS = ["n", "k", "t", "p", "d", "times", "fraction"] as const;
/** n things, k containers or people, t hours or days, p dollars, d a distractor; "twice"; "a third". */
export type NumberSlot = (typeof NUMBER_SLOTS)[number];
type WordSlot = "who" | "goods" | "other" | "boxes" | "box" | "people" | "place" | "relative" | "thing";
type BoundSlot = "name" | "sub" | "obj" | "unit" | "rival" | "firstName" | "firstUnit";
export type FreeSlot = NumberSlot | WordSlot;
type Slot = FreeSlot | BoundSlot;

const any = (words: readonly string[]): string => words.join("|");
const NAME_OR_EACH = `${any(NAMES)}|each [a-z]+`;

const PATTERNS: Readonly<Record<Slot, string>> = {
  n: NUMBER_PATTERN,
  k: NUMBER_PATTERN,
  t: NUMBER_PATTERN,
  p: NUMBER_PATTERN,
  d: NUMBER_PATTERN,
  times: TIMES_PATTERN,
  fraction: FRACTION_PATTERN,
  who: any(NAMES),
  other: any(NAMES),
  goods: any(ALL_NOUNS),
  thing: any(ALL_NOUNS),
  boxes: any(ALL_CONTAINERS),
  box: any(ALL_CONTAINERS.map(singularContainer)),
  people: any(Object.keys(PEOPLE)),
  place: any(PLACES),
  relative: any(RELATIVES),
  name: NAME_OR_EACH,
  sub: "she|he|each [a-z]+",
  obj: "her|him|each [a-z]+",
  unit: any(ALL_NOUNS),
  rival: any(NAMES),
  firstName: any(NAMES),
  firstUnit: any(ALL_NOUNS),
};

const BOUND: Readonly<Record<BoundSlot, (scene: Scene) => string | undefined>> = {
  name: (scene) => scene.holder.name,
  sub: (scene) => scene.holder.subject,
  obj: (scene) => scene.holder.object,
  unit: (scene) => scene.unit,
  rival: (scene) => scene.rival,
  firstName: (scene) => scene.first.name,
  firstUnit: (scene) => scene.first.unit,
};

/** Words of the free slots of one sentence, as written (numbers too). */
export type SlotWords = Readonly<Partial<Record<FreeSlot, string>>>;

/** A sentence with slots, `"{sub} buys {n} more {unit}."`. */
export class Template {
  readonly source: string;
  /** Free slots in the order of the text. */
  readonly freeSlots: readonly FreeSlot[];
  readonly numberSlots: readonly NumberSlot[];
  readonly #parts: readonly (string | { readonly slot: Slot })[];
  readonly #pattern: RegExp;
  readonly #slots: readonly Slot[];

  constructor(source: string) {
    this.source = source;
    this.#parts = lowerFirst(source)
      .split(/(\{[a-zA-Z]+\})/)
      .filter((part) => part !== "")
      .map((part) => (part.startsWith("{") ? { slot: slotNamed(part.slice(1, -1), source) } : part));
    this.#slots = this.#parts.flatMap((part) => (typeof part === "string" ? [] : [part.slot]));
    this.freeSlots = this.#slots.filter(isFree);
    this.numberSlots = this.freeSlots.filter(isNumberSlot);
    this.#pattern = new RegExp(
      `^${this.#parts.map((part) => (typeof part === "string" ? escape(part) : `(${PATTERNS[part.slot]})`)).join("")}$`,
    );
  }

  /** The sentence, undefined where a slot has no word. Sentences without a scene (openings) pass undefined. */
  write(words: SlotWords, scene: Scene | undefined): string | undefined {
    let text = "";
    for (const part of this.#parts) {
      const piece = typeof part === "string" ? part : slotText(part.slot, words, scene);
      if (piece === undefined) return undefined;
      text += piece;
    }
    return text.charAt(0).toUpperCase() + text.slice(1);
  }

  /** Inverse of `write`: the free words of `sentence`, undefined where it does not match this template in this scene. */
  read(sentence: string, scene: Scene | undefined): SlotWords | undefined {
    const match = this.#pattern.exec(sentence) ?? this.#pattern.exec(lowerFirst(sentence));
    if (match === null) return undefined;
    const words: Partial<Record<FreeSlot, string>> = {};
    for (const [i, slot] of this.#slots.entries()) {
      const text = match[i + 1];
      if (text === undefined) return undefined;
      if (isFree(slot)) words[slot] = text;
      else if (slotText(slot, {}, scene) !== text) return undefined;
    }
    return words;
  }
}

/** Whether a slot holds a number. */
export function isNumberSlot(slot: FreeSlot): slot is NumberSlot {
  return (NUMBER_SLOTS as readonly string[]).includes(slot);
}

function slotText(slot: Slot, words: SlotWords, scene: Scene | undefined): string | undefined {
  if (isFree(slot)) return words[slot];
  return scene === undefined ? undefined : BOUND[slot](scene);
}

function isFree(slot: Slot): slot is FreeSlot {
  return !Object.hasOwn(BOUND, slot);
}

function slotNamed(name: string, source: string): Slot {
  if (!Object.hasOwn(PATTERNS, name))
    throw new RangeError(`template ${JSON.stringify(source)}: expected a known slot, got {${name}}`);
  return name as Slot;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function escape(text: string): string {
  return text.replace(/[.?*+^$()|[\]\\]/g, "\\$&");
}
