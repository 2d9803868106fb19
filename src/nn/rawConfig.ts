/**
 * @file Typed access to a Hugging Face `config.json`. Every read names the file and
 * key when the value is missing or of the wrong kind; nothing is guessed.
 */
import { badInput } from "../core/errors.ts";

/** Indices are int32 in every graph. */
const MAX_SIZE = 2 ** 31 - 1;

/** More layers than any model has: a damaged config must not make us list the parameters of millions. */
export const MAX_LAYERS = 1024;

function describe(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value);
}

/** A parsed `config.json` (or an object inside it). */
export class RawConfig {
  readonly #where: string;
  readonly #values: Readonly<Record<string, unknown>>;

  /** @throws BadInputError when `values` is not a JSON object. */
  constructor(values: unknown, where = "config.json") {
    if (typeof values !== "object" || values === null || Array.isArray(values))
      badInput(where, "a JSON object", describe(values));
    this.#where = where;
    this.#values = values as Record<string, unknown>;
  }

  has(key: string): boolean {
    return this.#values[key] !== undefined && this.#values[key] !== null;
  }

  /** Positive integer, at most `max`. */
  size(key: string, fallback?: number, max = MAX_SIZE): number {
    const value = this.#values[key] ?? fallback;
    if (typeof value !== "number" || !Number.isInteger(value) || value <= 0)
      badInput(`${this.#where} '${key}'`, "a positive integer", describe(value));
    if (value > max) badInput(`${this.#where} '${key}'`, `at most ${max}`, describe(value));
    return value;
  }

  /** Integer of at least 0. */
  count(key: string, fallback?: number): number {
    const value = this.#values[key] ?? fallback;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0)
      badInput(`${this.#where} '${key}'`, "an integer of at least 0", describe(value));
    return value;
  }

  /** Positive integer where `null` says that there is none and an absent key means `fallback`. */
  optionalSize(key: string, fallback?: number): number | undefined {
    return this.#values[key] === null ? undefined : this.has(key) ? this.size(key) : fallback;
  }

  /** Finite number above 0 where `null` says that there is none and an absent key means `fallback`. */
  optionalPositive(key: string, fallback?: number): number | undefined {
    return this.#values[key] === null ? undefined : this.has(key) ? this.positive(key) : fallback;
  }

  /** Finite number. */
  number(key: string, fallback?: number): number {
    const value = this.#values[key] ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value))
      badInput(`${this.#where} '${key}'`, "a number", describe(value));
    return value;
  }

  /** Finite number above 0. */
  positive(key: string, fallback?: number): number {
    const value = this.number(key, fallback);
    if (value <= 0) badInput(`${this.#where} '${key}'`, "a number above 0", describe(value));
    return value;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.#values[key] ?? fallback;
    if (typeof value !== "boolean") badInput(`${this.#where} '${key}'`, "true or false", describe(value));
    return value;
  }

  text(key: string, fallback?: string): string {
    const value = this.#values[key] ?? fallback;
    if (typeof value !== "string") badInput(`${this.#where} '${key}'`, "a string", describe(value));
    return value;
  }

  /** One of the words. */
  choice<T extends string>(key: string, allowed: readonly T[], fallback: T): T {
    const value = this.text(key, fallback);
    const found = allowed.find((word) => word === value);
    if (found === undefined) badInput(`${this.#where} '${key}'`, `one of ${allowed.join(", ")}`, describe(value));
    return found;
  }

  /** A list of `count` of the words, or undefined when absent or null. */
  words<T extends string>(key: string, allowed: readonly T[], count: number): readonly T[] | undefined {
    if (!this.has(key)) return undefined;
    const value = this.#values[key];
    if (!Array.isArray(value) || value.length !== count)
      badInput(`${this.#where} '${key}'`, `a list of ${count} words`, describe(value));
    return value.map((word: unknown, i) => {
      const found = allowed.find((candidate) => candidate === word);
      if (found === undefined)
        badInput(`${this.#where} '${key}'[${i}]`, `one of ${allowed.join(", ")}`, describe(word));
      return found;
    });
  }

  /** Nested object, or undefined when absent or null. */
  object(key: string): RawConfig | undefined {
    return this.has(key) ? new RawConfig(this.#values[key], `${this.#where} '${key}'`) : undefined;
  }

  /** Refuses the value of a key, saying where it stands. */
  refuse(key: string, expected: string, hint = ""): never {
    badInput(`${this.#where} '${key}'`, expected, describe(this.#values[key]), hint);
  }

  /** Refuses a setting that we do not implement: `key` must be absent, null or one of `allowed`. */
  only(key: string, allowed: readonly unknown[], hint: string): void {
    if (this.has(key) && !allowed.includes(this.#values[key])) {
      const expected = allowed.length === 0 ? "no value" : allowed.map(describe).join(" or ");
      badInput(`${this.#where} '${key}'`, expected, describe(this.#values[key]), hint);
    }
  }
}
