/** @file Command-line options: parsing, defaults, messages; and that every command's help is true. */
import { describe, expect, test } from "vitest";
import { Options, type OptionSpecs } from "../../src/cli/options.ts";
import { runCli } from "../support/runCli.ts";

const SPECS: OptionSpecs = {
  data: { value: "FILE", description: "rows", required: true },
  lr: { value: "X", description: "rate", default: "5e-5" },
  steps: { value: "N", description: "steps" },
  mode: { value: "a|b", description: "mode", default: "a" },
  "no-shuffle": { description: "keep the order" },
};
const parse = (...args: readonly string[]) => Options.parse("do", ["--data", "f", ...args], SPECS);

describe("options", () => {
  test("have their defaults until they are given", () => {
    const options = parse();
    expect(options.number("lr")).toBe(5e-5);
    expect(options.given("lr")).toBe(false);
    expect(options.text("steps")).toBeUndefined();
    expect(options.flag("no-shuffle")).toBe(false);
    expect(parse("--lr", "1e-3").given("lr")).toBe(true);
    expect(parse("--lr=2").number("lr")).toBe(2);
  });

  test("a switch whose name begins with no- is a switch, not the negation of another", () => {
    expect(parse("--no-shuffle").flag("no-shuffle")).toBe(true);
    expect(() => parse("--no-json")).toThrow(/Unknown option '--no-json'/);
    expect(() => parse("--no-shuffle=false")).toThrow(/does not take an argument/);
  });

  test("negative numbers are values", () => {
    expect(parse("--lr", "-1").number("lr")).toBe(-1);
    expect(parse("--seed", "-7").integer("seed")).toBe(-7);
    expect(() => parse("--lr", "-1").number("lr", { min: 0 })).toThrow(/^--lr: expected a number ≥ 0, got "-1"$/);
  });

  test.each([
    [["--lr", "fast"], (o: Options) => o.number("lr"), /^--lr: expected a number, got "fast"$/],
    [["--lr", ""], (o: Options) => o.number("lr"), /^--lr: expected a value \(X\), got none$/],
    [["--lr", " "], (o: Options) => o.number("lr"), /^--lr: expected a number, got " "$/],
    [["--lr", "1,5"], (o: Options) => o.number("lr"), /"1,5"/],
    [["--lr", "Infinity"], (o: Options) => o.number("lr"), /"Infinity"/],
    [["--lr", "NaN"], (o: Options) => o.number("lr"), /"NaN"/],
    [["--lr", "5"], (o: Options) => o.number("lr", { max: 1 }), /a number ≤ 1, got "5"/],
    [
      ["--steps", "1.5"],
      (o: Options) => o.integer("steps", { min: 1, max: 3 }),
      /^--steps: expected a whole number from 1 to 3, got "1.5"$/,
    ],
    [["--steps", "0"], (o: Options) => o.integer("steps", { min: 1 }), /a whole number ≥ 1, got "0"/],
    [["--steps", "1e300"], (o: Options) => o.integer("steps"), /a whole number/],
    [["--mode", "c"], (o: Options) => o.choice("mode", ["a", "b"]), /^--mode: expected one of a, b, got "c"$/],
  ] as const)("%j is refused by the one who reads it", (args, read, message) => {
    expect(() => read(parse(...args))).toThrow(message);
  });

  test("what is unknown, missing or too much is refused with a way to the help", () => {
    const refused = (args: readonly string[], message: RegExp): void => {
      expect(() => Options.parse("do", args, SPECS)).toThrow(message);
      expect(() => Options.parse("do", args, SPECS)).toThrow(expect.objectContaining({ code: "bad-input" }) as Error);
    };
    refused([], /^tutelage do: expected option --data FILE, got none\. See: tutelage do --help$/);
    refused(["--data"], /argument missing[\s\S]*See: tutelage do --help/);
    refused(["--data", "f", "--fast"], /Unknown option '--fast'[\s\S]*See: tutelage do --help/);
    refused(["--data", "f", "extra"], /at most 0 file arguments, got extra/);
  });

  test("help needs no required option", () => {
    expect(Options.parse("do", ["--help"], SPECS).flag("help")).toBe(true);
  });
});

/** All that the program lists. */
const COMMANDS = [...(await runCli(["--help"])).out.matchAll(/^ {2}([a-z-]+) {2,}/gm)].map(([, name]) => name!);

/** Options as the help lists them: `  --name VALUE  description`. */
const documented = (help: string): { readonly name: string; readonly value: string | undefined }[] =>
  [...help.matchAll(/^ {2}--([a-z-]+)(?: (\S+))?(?: {2,}|$)/gm)].map(([, name, value]) => ({ name: name!, value }));

const helps = new Map<string, string>();
for (const command of COMMANDS) helps.set(command, (await runCli([command, "--help"])).out);
const everyName = [...new Set([...helps.values()].flatMap((help) => documented(help).map(({ name }) => name)))];

describe.each(COMMANDS)("the help of %s is true", (command) => {
  const options = documented(helps.get(command)!);

  test("it lists options", () => {
    expect(options.map(({ name }) => name)).toEqual(expect.arrayContaining(["ep", "threads", "json", "help"]));
    expect(options.some(({ name }) => name === "seed")).toBe(command !== "study");
    expect(new Set(options.map(({ name }) => name)).size).toBe(options.length);
  });

  test.each(options)("--$name is taken as it says", async ({ name, value }) => {
    const withValue = await runCli([command, `--${name}=1`, "--help"]);
    const without = await runCli([command, `--${name}`, ...(name === "help" ? [] : ["--help"])]);
    expect([withValue.status, without.status]).toEqual(value === undefined ? [2, 0] : [0, 2]);
  });

  test("no other option is taken", async () => {
    const known = new Set(options.map(({ name }) => name));
    for (const name of everyName.filter((other) => !known.has(other)))
      expect((await runCli([command, `--${name}`, "--help"])).status, name).toBe(2);
  });
});

describe("the program", () => {
  test("without a command explains itself on stderr, with --help on stdout", async () => {
    expect(await runCli([])).toMatchObject({
      status: 2,
      out: "",
      err: expect.stringContaining("Usage: tutelage COMMAND") as string,
    });
    for (const name of ["--help", "-h", "help"])
      expect(await runCli([name])).toMatchObject({
        status: 0,
        err: "",
        out: expect.stringContaining("Exit status: 0 done, 2 bad input or usage, 1 failure") as string,
      });
    const { out } = await runCli(["--help"]);
    expect(COMMANDS).toEqual(expect.arrayContaining(["score", "train", "loop", "study", "teacher", "cache"]));
    for (const command of COMMANDS) expect(out).toMatch(new RegExp(`^ {2}${command} `, "m"));
  });

  test("an unknown command names those there are", async () => {
    const { status, out, err } = await runCli(["fly"]);
    expect([status, out]).toEqual([2, ""]);
    expect(err).toMatch(
      /^tutelage: expected a command \(score, train, generate, .*loop\b.*\), got 'fly'\. See: tutelage --help\n$/,
    );
  });
});
