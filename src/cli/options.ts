/**
 * @file Command-line options: declared once as data, from which parsing, `--help`
 * and error messages follow. Parsing itself is Node's `parseArgs`.
 */
import { parseArgs } from "node:util";
import { BadInputError, badInput } from "../core/errors.ts";

export interface OptionSpec {
  /** Absent for a switch. */
  readonly value?: string;
  readonly description: string;
  readonly default?: string;
  /** Must be given. */
  readonly required?: boolean;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** Options that every command takes, but for those it names as not its own. */
export const COMMON_OPTIONS: OptionSpecs = {
  ep: { value: "cpu|wasm|webgpu", description: "execution provider (default: the best present, named on stderr)" },
  threads: { value: "N", description: "threads of the cpu and wasm providers (default: the machine's cores)" },
  seed: { value: "N", description: "seed of everything random", default: "0" },
  json: { description: "JSON lines on stdout, nothing else (the default when stdout is not a terminal)" },
  help: { description: "this text" },
};

/** Common options that a command does not take, with what to do instead, for the error message. */
export type NotTaken = Readonly<Record<string, string>>;

/** What a command takes: its own options and the common ones. The parser and `--help` both follow it. */
function optionsOf(own: OptionSpecs, notTaken: NotTaken): OptionSpecs {
  const common = Object.entries(COMMON_OPTIONS).filter(([name]) => !Object.hasOwn(notTaken, name));
  return { ...own, ...Object.fromEntries(common) };
}

/** Of the commands that open a student. */
export const ONNX_OPTION: OptionSpec = {
  value: "FILE",
  description: "make the student of this ONNX model in its directory (default: where it has no safetensors weights)",
};

/** Parsed options of one command; every getter names the option in its error. */
export class Options {
  readonly positionals: readonly string[];
  readonly #values: Readonly<Record<string, string | boolean | undefined>>;
  readonly #specs: OptionSpecs;

  private constructor(
    values: Readonly<Record<string, string | boolean | undefined>>,
    positionals: readonly string[],
    specs: OptionSpecs,
  ) {
    this.#values = values;
    this.positionals = positionals;
    this.#specs = specs;
  }

  /** @throws BadInputError for an unknown option, a missing value or a missing required option. */
  static parse(
    command: string,
    args: readonly string[],
    own: OptionSpecs,
    maxPositionals = 0,
    notTaken: NotTaken = {},
  ): Options {
    const specs = optionsOf(own, notTaken);
    for (const [name, instead] of Object.entries(notTaken))
      if (args.some((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`)))
        badInput(`--${name}`, "no such option here", "one", instead);
    const config = Object.fromEntries(
      Object.entries(specs).map(([name, spec]) => [
        name,
        { type: spec.value === undefined ? ("boolean" as const) : ("string" as const) },
      ]),
    );
    try {
      // Numbers may be negative (`--lr -1` is a wrong value, not an unknown option): join such pairs first.
      const joined = joinNegativeNumbers(args);
      const { values, positionals } = parseArgs({
        args: joined,
        options: config,
        allowPositionals: true,
        strict: true,
      });
      if (positionals.length > maxPositionals)
        badInput(`tutelage ${command}`, `at most ${maxPositionals} file arguments`, positionals.join(" "));
      const options = new Options(values, positionals, specs);
      if (options.flag("help")) return options;
      for (const [name, spec] of Object.entries(specs)) {
        if (spec.required && values[name] === undefined)
          badInput(
            `tutelage ${command}`,
            `option --${name} ${spec.value ?? ""}`.trim(),
            "none",
            `See: tutelage ${command} --help`,
          );
      }
      return options;
    } catch (error) {
      if (error instanceof BadInputError) throw error;
      throw new BadInputError(
        `tutelage ${command}: ${error instanceof Error ? error.message : String(error)}. See: tutelage ${command} --help`,
        { cause: error },
      );
    }
  }

  /** The option was given, rather than left to its default. */
  given(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name] ?? this.#specs[name]?.default;
    return typeof value === "string" ? value : undefined;
  }

  requiredText(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === "")
      badInput(`--${name}`, `a value (${this.#specs[name]?.value ?? "text"})`, "none");
    return value;
  }

  number(name: string, range: Range = {}): number {
    return this.#numeric(name, range, "a number", Number.isFinite);
  }

  integer(name: string, range: Range = {}): number {
    return this.#numeric(name, range, "a whole number", Number.isSafeInteger);
  }

  /** A size like `500MB`, `2.5 GB` or `1GiB`, or a number of bytes. */
  bytes(name: string): number {
    const text = this.requiredText(name);
    const match = /^\s*(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?\s*$/i.exec(text);
    const bytes = match === null ? 0 : Number(match[1]) * unitBytes(match[2] ?? "", match[3] !== "");
    if (!(bytes >= 1)) badInput(`--${name}`, "a size such as 500MB, 2.5GB or 1GiB", JSON.stringify(text));
    return Math.floor(bytes);
  }

  #numeric(name: string, range: Range, kind: string, fits: (value: number) => boolean): number {
    const text = this.requiredText(name);
    const value = text.trim() === "" ? Number.NaN : Number(text);
    const { min = -Infinity, max = Infinity } = range;
    if (!fits(value) || value < min || value > max)
      badInput(`--${name}`, `${kind}${describeRange(range)}`, JSON.stringify(text));
    return value;
  }

  /** One of the words. */
  choice<T extends string>(name: string, allowed: readonly T[]): T {
    const text = this.requiredText(name);
    const found = allowed.find((word) => word === text);
    if (found === undefined) badInput(`--${name}`, `one of ${allowed.join(", ")}`, JSON.stringify(text));
    return found;
  }
}

function unitBytes(prefix: string, binary: boolean): number {
  return (binary ? 1024 : 1000) ** ["", "k", "m", "g", "t"].indexOf(prefix.toLowerCase());
}

interface Range {
  readonly min?: number;
  readonly max?: number;
}

function describeRange({ min, max }: Range): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` ≥ ${min}`;
  return max === undefined ? "" : ` ≤ ${max}`;
}

function joinNegativeNumbers(args: readonly string[]): string[] {
  const out: string[] = [];
  for (const arg of args) {
    const previous = out.at(-1);
    if (/^-\d/.test(arg) && previous?.startsWith("--") && !previous.includes("="))
      out[out.length - 1] = `${previous}=${arg}`;
    else out.push(arg);
  }
  return out;
}

/** The `--help` text of a command. */
export function helpText(
  usage: string,
  summary: string,
  own: OptionSpecs,
  notes = "",
  notTaken: NotTaken = {},
): string {
  const lines = Object.entries(optionsOf(own, notTaken)).map(([name, spec]) => {
    const left = `  --${name}${spec.value === undefined ? "" : ` ${spec.value}`}`;
    const tail = spec.required ? " (required)" : spec.default === undefined ? "" : ` (default: ${spec.default})`;
    return left.length < 30
      ? `${left.padEnd(30)}${spec.description}${tail}`
      : `${left}\n${" ".repeat(30)}${spec.description}${tail}`;
  });
  return `Usage: ${usage}\n\n${summary}\n\nOptions:\n${lines.join("\n")}\n${notes === "" ? "" : `\n${notes}\n`}`;
}
