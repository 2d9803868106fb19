/** @file The writer and solver of puzzles from which the built-in teacher is made. */
import type { Rng } from "../../core/rng.ts";
import type { Author } from "../types.ts";
import {
  LEVELS,
  MAX_CARD,
  MAX_NUMBER,
  clusterOf,
  levelOf,
  needsFractions,
  puzzleKey,
  puzzleRegion,
  readPuzzle,
  tellPuzzle,
} from "./puzzle.ts";
import type { Cluster, Numbers } from "./puzzle.ts";
import { expressionText, solutions } from "./solve.ts";
import type { Tree } from "./solve.ts";
import { verifyPair, workedAnswer } from "./workedAnswer.ts";

/** Draws that keep two of the seed's numbers, then one, then none. */
const ATTEMPTS = [150, 150, 1500] as const;

/** Labels of a puzzle with these solutions that is told so. */
export function tagsOf(found: readonly Tree[], cluster: Cluster): Readonly<Record<string, string>> {
  return { numbers: needsFractions(found) ? "fractions" : "whole", cluster };
}

/**
 * An author of puzzles in the pool's region that share numbers with their seed, told in the same way.
 * - simplify: one level easier (the easiest stays), cards only. - complicate: one level harder
 *   (the hardest stays), numbers up to 20. - addStep: likewise, as every puzzle takes three steps.
 * - vary: the same level, numbers up to 20.
 * - rarer: the same level, with a number that no card has (14 to 20).
 */
export const AUTHOR: Author = {
  write(text, operation, rng) {
    const seed = readPuzzle(text);
    const seedLevel = seed === undefined ? undefined : levelOf(solutions(seed));
    if (seed === undefined || seedLevel === undefined) return undefined;
    const step = operation === "simplify" ? -1 : operation === "complicate" || operation === "addStep" ? 1 : 0;
    const level = LEVELS[LEVELS.indexOf(seedLevel) + step] ?? seedLevel;
    const cluster = clusterOf(text);
    const highest = operation === "simplify" ? MAX_CARD : MAX_NUMBER;
    for (const [keepLess, attempts] of ATTEMPTS.entries()) {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const kept = rng.shuffle(seed.filter((n) => n <= highest)).slice(0, 2 - keepLess);
        const numbers = [
          ...kept,
          ...Array.from({ length: seed.length - kept.length }, () => rng.integer(1, highest)),
        ].sort((a, b) => a - b);
        if (puzzleKey(numbers) === puzzleKey(seed)) continue;
        if (operation === "rarer" && numbers.every((n) => n <= MAX_CARD)) continue;
        const found = solutions(numbers);
        if (found.length === 0 || levelOf(found) !== level || puzzleRegion(numbers) !== "pool") continue;
        return { question: tellPuzzle(numbers, cluster), level, tags: tagsOf(found, cluster) };
      }
    }
    return undefined;
  },

  solve(text, options = {}) {
    const numbers = readPuzzle(text);
    if (numbers === undefined) return undefined;
    const [best] = solutions(numbers);
    if (best !== undefined) return workedAnswer(numbers, best);
    return options.careless === true ? carelessAnswer(numbers) : undefined;
  },

  spoilQuestion(text, rng) {
    const numbers = readPuzzle(text);
    const impossible = numbers === undefined ? undefined : impossibleVersion(numbers, rng);
    if (impossible !== undefined && rng.uniform() < 0.75) return tellPuzzle(impossible, clusterOf(text));
    return text.trim().replace(/\s*[0-9]+\s*\.?$/, ".");
  },

  spoilAnswer(question, answer, rng) {
    const numbers = readPuzzle(question) ?? [];
    const lines = answer.split("\n");
    const candidates = rng.shuffle([
      () => wrongStep(lines, rng),
      () => wrongLeft(lines, rng),
      () => wrongOperator(lines, rng),
      () => strangeNumber(lines, numbers, rng),
    ]);
    for (const spoil of candidates) {
      const spoiled = spoil();
      if (spoiled !== answer && !verifyPair({ question, answer: spoiled }).correct) return spoiled;
    }
    return lines.slice(0, -1).join("\n");
  },
};

/** Sums everything and says that it is 24, as one would who does not check. */
function carelessAnswer(numbers: Numbers): string {
  const [first, ...rest] = numbers.map((n): Tree => ({ n, d: 1 }));
  const sum = rest.reduce<Tree | undefined>(
    (left, right) => (left === undefined ? undefined : { n: left.n + right.n, d: 1, op: "+", left, right }),
    first,
  );
  return sum === undefined
    ? ""
    : `${workedAnswer(numbers, sum).split("\n").slice(0, -1).join("\n")}\nAnswer: ${expressionText(sum)} = 24`;
}

/** The puzzle with one other number that no longer makes 24. */
function impossibleVersion(numbers: Numbers, rng: Rng): Numbers | undefined {
  for (let attempt = 0; attempt < 60; attempt++) {
    const changed = numbers.toSpliced(rng.integer(0, numbers.length - 1), 1, rng.integer(1, MAX_NUMBER));
    if (solutions(changed).length === 0) return changed.sort((a, b) => a - b);
  }
  return undefined;
}

function wrongStep(lines: readonly string[], rng: Rng): string {
  const at = rng.integer(0, lines.length - 2);
  return changeLine(lines, at, (line) =>
    line.replace(/= (-?[0-9]+)(\/[0-9]+)?/, (_, n: string) => `= ${Number(n) + rng.pick([-2, -1, 1, 2])}`),
  );
}

function wrongLeft(lines: readonly string[], rng: Rng): string {
  const at = rng.integer(0, lines.length - 2);
  return changeLine(lines, at, (line) =>
    line.replace(/left: (-?[0-9]+)/, (_, n: string) => `left: ${Number(n) + rng.pick([1, 2, 3])}`),
  );
}

/** The final expression with another operator. */
function wrongOperator(lines: readonly string[], rng: Rng): string {
  return changeLine(lines, lines.length - 1, (line) => {
    const spots = [...line.matchAll(/ [-+*/] /g)].map((match) => match.index + 1);
    if (spots.length === 0) return line;
    const spot = rng.pick(spots);
    return line.slice(0, spot) + rng.pick(["+", "-", "*", "/"]) + line.slice(spot + 1);
  });
}

/** The final expression over a number that is not in the puzzle. */
function strangeNumber(lines: readonly string[], numbers: Numbers, rng: Rng): string {
  const old = rng.pick(numbers.length === 0 ? [1] : numbers);
  return changeLine(lines, lines.length - 1, (line) =>
    line.replace(new RegExp(`\\b${old}\\b`), String(old + rng.integer(1, 3))),
  );
}

function changeLine(lines: readonly string[], at: number, change: (line: string) => string): string {
  return lines.map((line, i) => (i === at ? change(line) : line)).join("\n");
}
