/**
 * @file The same exercise told in words: "Solve for x: 3 times x plus 5 equals 20." for "Solve for x: 3x + 5 = 20."
 * Worked answers are in symbols either way. Signs of numbers stay ("-6"), and so do sequences, which are
 * told without symbols.
 */

/** How questions are told: in symbols, or in words. */
export type Cluster = "plain" | "in words";
export const CLUSTER_NAMES: readonly Cluster[] = ["plain", "in words"];

const WORDS: readonly (readonly [symbol: string, word: string])[] = [
  [" + ", " plus "],
  [" - ", " minus "],
  [" = ", " equals "],
  ["/", " over "],
  ["^2", " squared"],
];
/** Between a number and the letter or bracket that it multiplies. */
const PRODUCT = /(?<=[0-9])(?=[a-z(])/g;

/** `text` with words for its symbols; the text itself where it has none. */
export function toWords(text: string): string {
  return WORDS.reduce((told, [symbol, word]) => told.replaceAll(symbol, word), text.replace(PRODUCT, " times "));
}

/** `text` with symbols for such words: the inverse of `toWords`. */
export function toSymbols(text: string): string {
  return WORDS.reduce((told, [symbol, word]) => told.replaceAll(word, symbol), text.replaceAll(" times ", ""));
}
