/**
 * @file The closed word lists of the word problems, and numbers as text. Closed
 * lists are what lets the reader understand every question the writer can write.
 * Nouns are plural only: no quantity in a question is ever 1.
 */

/** What a noun is decides which verbs fit: pears are picked, muffins baked, dollars spent. */
export type NounKind = "fruit" | "baked" | "thing" | "money" | "container";

/** Things to count that can be owned, given and sold. */
export const GOODS: readonly NounKind[] = ["fruit", "baked", "thing"];

const NOUNS_BY_KIND: Readonly<Record<NounKind, readonly string[]>> = {
  fruit: ["apples", "pears", "plums", "lemons", "peaches", "oranges", "figs", "melons"],
  baked: ["cookies", "muffins", "rolls", "pies", "cakes", "bagels"],
  thing: [
    "stickers",
    "marbles",
    "cards",
    "coins",
    "shells",
    "stamps",
    "beads",
    "books",
    "pencils",
    "buttons",
    "badges",
    "stones",
  ],
  money: ["dollars"],
  container: ["bags", "boxes", "baskets", "crates", "trays", "packs", "piles"],
};

/** Containers that suit a kind of goods. */
export const CONTAINERS_FOR: Readonly<Record<NounKind, readonly string[]>> = {
  fruit: ["bags", "boxes", "baskets", "crates"],
  baked: ["bags", "boxes", "baskets", "trays"],
  thing: ["bags", "boxes", "packs", "piles"],
  money: ["piles"],
  container: [],
};

const SHE = ["Ana", "Eva", "Mia", "Zoe", "Lily", "Nora", "Ruth", "Sara", "Iris", "Jane", "Maya", "Tina"];
const HE = ["Ben", "Dan", "Leo", "Max", "Sam", "Tom", "Omar", "Paul", "Hugo", "Ivan", "Juan", "Kofi"];

export const NAMES: readonly string[] = [...SHE, ...HE];
export const PLACES: readonly string[] = [
  "school",
  "work",
  "the park",
  "the market",
  "the beach",
  "a party",
  "the fair",
  "the club",
];
export const RELATIVES: readonly string[] = ["friend", "cousin", "neighbor", "teacher", "sister", "brother"];
/** Plural and singular of those a share goes to. */
export const PEOPLE: Readonly<Record<string, string>> = {
  friends: "friend",
  cousins: "cousin",
  neighbors: "neighbor",
  children: "child",
  classmates: "classmate",
  teams: "team",
};

/** Subject and object pronoun of a name of the list. */
export function pronouns(name: string): { readonly subject: string; readonly object: string } {
  return SHE.includes(name) ? { subject: "she", object: "her" } : { subject: "he", object: "him" };
}

export function nounsOf(kind: NounKind): readonly string[] {
  return NOUNS_BY_KIND[kind];
}

export const ALL_NOUNS: readonly string[] = Object.values(NOUNS_BY_KIND).flat();
export const ALL_CONTAINERS: readonly string[] = NOUNS_BY_KIND.container;

/** Kind of a noun of the lists, undefined for any other word. */
export function nounKind(noun: string): NounKind | undefined {
  return (Object.keys(NOUNS_BY_KIND) as NounKind[]).find((kind) => NOUNS_BY_KIND[kind].includes(noun));
}

/** Singular of a container ("boxes" → "box"). */
export function singularContainer(plural: string): string {
  return plural === "boxes" ? "box" : plural.slice(0, -1);
}

/** How a number is written. */
export type NumberStyle = "digits" | "words" | "dozens";

const SMALL_WORDS =
  "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split(
    " ",
  );
const NUMBER_WORDS = new Map<string, number>([
  ...SMALL_WORDS.map((word, i): [string, number] => [word, i + 2]),
  ["thirty", 30],
  ["forty", 40],
  ["fifty", 50],
]);
const DOZEN_WORDS = new Map<string, number>([
  ["half a dozen", 6],
  ["a dozen", 12],
  ["two dozen", 24],
  ["three dozen", 36],
  ["four dozen", 48],
]);
const TIMES_WORDS = new Map<string, number>([["twice", 2]]);
const FRACTION_WORDS = new Map<string, number>([
  ["half", 2],
  ["a third", 3],
  ["a quarter", 4],
  ["a fifth", 5],
]);

/** Largest count that the reader accepts in digits: 999,999. */
const DIGITS_PATTERN = "0|[1-9][0-9]{0,5}";

/** Patterns (no groups) of a number, a "times as many" and a "fraction as many". */
export const NUMBER_PATTERN = [...DOZEN_WORDS.keys(), ...NUMBER_WORDS.keys()]
  .sort((a, b) => b.length - a.length)
  .concat(DIGITS_PATTERN)
  .join("|");
export const TIMES_PATTERN = `twice|(?:${NUMBER_PATTERN}) times`;
export const FRACTION_PATTERN = [...FRACTION_WORDS.keys()].join("|");

/** Values that a style can write, undefined = any. */
export function writableNumbers(style: NumberStyle): readonly number[] | undefined {
  if (style === "digits") return undefined;
  return [...(style === "words" ? NUMBER_WORDS : DOZEN_WORDS).values()];
}

/** `value` as text, undefined where the style has no word for it. */
export function writeNumber(value: number, style: NumberStyle): string | undefined {
  return style === "digits" ? String(value) : keyOf(style === "words" ? NUMBER_WORDS : DOZEN_WORDS, value);
}

/** "twice", "3 times", "three times". */
export function writeTimes(value: number, style: NumberStyle): string | undefined {
  const word = keyOf(TIMES_WORDS, value);
  if (word !== undefined) return word;
  const number = writeNumber(value, style);
  return number === undefined ? undefined : `${number} times`;
}

/** "half", "a third", … "a fifth". */
export function writeFraction(value: number): string | undefined {
  return keyOf(FRACTION_WORDS, value);
}

/** Inverse of the three writers: the number that `text` stands for (`k` for "one k-th"). */
export function readNumber(text: string): number | undefined {
  const lower = text.toLowerCase();
  const word = NUMBER_WORDS.get(lower) ?? DOZEN_WORDS.get(lower) ?? TIMES_WORDS.get(lower) ?? FRACTION_WORDS.get(lower);
  if (word !== undefined) return word;
  if (lower.endsWith(" times")) return readNumber(lower.slice(0, -" times".length));
  return new RegExp(`^(?:${DIGITS_PATTERN})$`).test(lower) ? Number(lower) : undefined;
}

/** Style in which `text` was written; "twice" and fractions have one form only and count as digits. */
export function numberStyle(text: string): NumberStyle {
  const lower = text.toLowerCase().replace(/ times$/, "");
  if (NUMBER_WORDS.has(lower)) return "words";
  return DOZEN_WORDS.has(lower) ? "dozens" : "digits";
}

function keyOf(words: ReadonlyMap<string, number>, value: number): string | undefined {
  for (const [word, number] of words) if (number === value) return word;
  return undefined;
}
