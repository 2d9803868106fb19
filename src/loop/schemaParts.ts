/** @file Building blocks of the experiment's schema. Their messages say what they expect. */
import * as v from "valibot";

/** `Rng` takes 32-bit seeds; a larger one would silently be another's twin. */
export const MAX_SEED = 0x7fffffff;

// The message of every check is what it expects; `parseExperimentConfig` adds where and what it got.

/** An object with these entries and no others. */
export function group<T extends v.ObjectEntries>(entries: T) {
  const keys = Object.keys(entries).join(", ");
  return v.strictObject(entries, (issue) => {
    if (issue.expected === "never") return `one of the keys ${keys}`;
    // A key that must be there is expected by its name in quotes.
    return issue.expected?.startsWith('"') === true ? "a value" : `an object with keys among ${keys}`;
  });
}

/** A whole number, both ends included. */
export function whole(low: number, high: number) {
  const expected = `a whole number from ${low} to ${high}`;
  return v.pipe(v.number(expected), v.integer(expected), v.minValue(low, expected), v.maxValue(high, expected));
}

/** A number, both ends included; `above` leaves the low end out. */
export function real(low: number, high: number, options: { readonly above?: boolean } = {}) {
  const expected = options.above === true ? `a number over ${low}, at most ${high}` : `a number from ${low} to ${high}`;
  return v.pipe(
    v.number(expected),
    v.finite(expected),
    options.above === true ? v.gtValue(low, expected) : v.minValue(low, expected),
    v.maxValue(high, expected),
  );
}

/** One of the names. */
export function choice<const T extends readonly string[]>(names: T) {
  return v.picklist(names, `one of ${names.map((name) => `"${name}"`).join(", ")}`);
}

/** A text of 1 to 1000 characters. */
export const text = v.pipe(
  v.string("a text"),
  v.minLength(1, "a text of at least 1 character"),
  v.maxLength(1000, "a text of at most 1000 characters"),
);
/** True or false. */
export const flag = v.boolean("true or false");
