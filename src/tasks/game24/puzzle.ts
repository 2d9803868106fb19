/**
 * @file Puzzles of the Game of 24: their text, key, level and region. The 1,362 solvable
 * puzzles of four cards from 1 to 13 are one finite list, divided to the letter; puzzles
 * with larger numbers exist for pretraining and teachers only.
 */
import { finiteRegions, mixedHash } from "../splits.ts";
import type { Region } from "../splits.ts";
import { textForm } from "../textForm.ts";
import { solutions } from "./solve.ts";
import type { Tree } from "./solve.ts";

/** Largest card of the game. */
export const MAX_CARD = 13;
/** Largest number in what teachers and pretraining write. */
export const MAX_NUMBER = 20;
/** Largest number that is read. */
const MAX_READ = 99;
const CARDS = 4;
/** How many of the 1,362 puzzles each split can hold; the other 392 are for pretraining. */
export const REGION_SIZES = { test: 300, validation: 200, pool: 470 } as const;

/** Levels by how many solutions a puzzle has, easy to hard. People's solve rates fall in this order. */
export const LEVELS = ["3 ways or more", "2 ways", "1 way"] as const;
export type Level = (typeof LEVELS)[number];

/** The numbers of a puzzle, ascending. */
export type Numbers = readonly number[];

const QUESTION =
  /^(?:make 24 (?:from|with|of|using)[: ]\s*)?((?:[0-9]{1,2}|\[[0-9]{1,2}\])(?:(?:\s*,\s*(?:and\s+)?|\s+(?:and\s+)?)(?:[0-9]{1,2}|\[[0-9]{1,2}\])){3})\s*\.?$/i;
/** Longest text that is looked at. */
const MAX_CHARACTERS = 200;

/** How a puzzle's numbers are told: as they are, or each in brackets, as cards are drawn. */
export const CLUSTERS = ["plain", "in brackets"] as const;
export type Cluster = (typeof CLUSTERS)[number];

/** `Make 24 from 4 9 10 13.`, in brackets `Make 24 from [4] [9] [10] [13].` */
export function tellPuzzle(numbers: Numbers, cluster: Cluster = "plain"): string {
  return `Make 24 from ${numbers.map((n) => (cluster === "plain" ? String(n) : `[${n}]`)).join(" ")}.`;
}

/** How a question's numbers are told; with a number without brackets, "plain". */
export function clusterOf(text: string): Cluster {
  return text.match(/\[[0-9]+\]/g)?.length === CARDS ? "in brackets" : "plain";
}

/** The four numbers of a question in any order, or of a bare list of them (`4 9 10 13`), ascending; undefined for other text. */
export function readPuzzle(text: string): Numbers | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const list = QUESTION.exec(text.trim())?.[1];
  const numbers = list?.match(/[0-9]+/g)?.map(Number) ?? [];
  if (numbers.length !== CARDS || numbers.some((n) => n < 1 || n > MAX_READ)) return undefined;
  return numbers.sort((a, b) => a - b);
}

/** Key of a puzzle: its numbers in ascending order. */
export function puzzleKey(numbers: Numbers): string {
  return `24 from ${numbers.join(" ")}`;
}

/** Key under which two questions are the same puzzle, whatever the order of their numbers. */
export function canonicalForm(question: string): string {
  const numbers = readPuzzle(question);
  return numbers === undefined ? textForm(question) : puzzleKey(numbers);
}

/** The level of a puzzle with these solutions, undefined where there are none. */
export function levelOf(found: readonly Tree[]): Level | undefined {
  return found.length === 0
    ? undefined
    : found.length === 1
      ? "1 way"
      : found.length === 2
        ? "2 ways"
        : "3 ways or more";
}

/** Whether no solution avoids fractions on the way. */
export function needsFractions(found: readonly Tree[]): boolean {
  const isWhole = (tree: Tree): boolean =>
    tree.d === 1 && (tree.op === undefined || (isWhole(tree.left) && isWhole(tree.right)));
  return !found.some(isWhole);
}

/** A solvable puzzle of cards. */
export interface Puzzle {
  readonly numbers: Numbers;
  readonly solutions: readonly Tree[];
  readonly level: Level;
  readonly region: Region;
}

let listed: readonly Puzzle[] | undefined;

/** All 1,362 solvable puzzles of four cards from 1 to 13, by their numbers. Found once by search (a few tenths of a second). */
export function allPuzzles(): readonly Puzzle[] {
  listed ??= listPuzzles();
  return listed;
}

function listPuzzles(): Puzzle[] {
  const solvable: Omit<Puzzle, "region">[] = [];
  for (let a = 1; a <= MAX_CARD; a++)
    for (let b = a; b <= MAX_CARD; b++)
      for (let c = b; c <= MAX_CARD; c++)
        for (let d = c; d <= MAX_CARD; d++) {
          const numbers = [a, b, c, d];
          const found = solutions(numbers);
          const level = levelOf(found);
          if (level !== undefined) solvable.push({ numbers, solutions: found, level });
        }
  const regions = finiteRegions(
    solvable.map((puzzle) => puzzleKey(puzzle.numbers)),
    REGION_SIZES,
  );
  return solvable.map((puzzle) => ({ ...puzzle, region: regions.get(puzzleKey(puzzle.numbers)) ?? "pretraining" }));
}

let regionByKey: ReadonlyMap<string, Region> | undefined;

/** The region of a solvable puzzle. With a number over 13 it is never in a held-out one. */
export function puzzleRegion(numbers: Numbers): Region {
  const key = puzzleKey(numbers);
  if (numbers.some((n) => n > MAX_CARD)) return mixedHash(key) % 2 === 0 ? "pool" : "pretraining";
  regionByKey ??= new Map(allPuzzles().map((puzzle) => [puzzleKey(puzzle.numbers), puzzle.region]));
  return regionByKey.get(key) ?? "pretraining";
}
