/** @file Lines of an answer, of which there may be far too many. */

/** Characters of a text that checkers look at: answers stand at the beginning, and a check must end soon whatever a student writes. */
export const MAX_LOOKED_AT = 100_000;

/** The lines of the first 100,000 characters of `text`, whatever ends them. */
export function linesOf(text: string): readonly string[] {
  return text.slice(0, MAX_LOOKED_AT).split(/\r\n|\r|\n/);
}
