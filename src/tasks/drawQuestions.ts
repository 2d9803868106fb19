/**
 * @file Draws the questions of a split from a generator: each cell (a level, a wording)
 * its exact count, every canonical form in its own region and never twice.
 */
import { badInput } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";
import type { Question } from "./types.ts";

/** A question as drawn, with its canonical form. */
export interface DrawnQuestion {
  readonly form: string;
  /** Called for questions that are kept only; undefined gives the draw up. */
  readonly question: () => Omit<Question, "id"> | undefined;
}

export interface QuestionCell {
  /** For people: "2 steps, plain". */
  readonly name: string;
  /** Name of the cell's own random stream: changing one share leaves the questions of other cells as they were. */
  readonly stream: string;
  readonly count: number;
  /** One draw, undefined where it led nowhere. */
  readonly draw: (rng: Rng) => DrawnQuestion | undefined;
}

export interface DrawSettings {
  readonly task: string;
  /** Name of the split, from which ids and streams are made. */
  readonly split: string;
  /** Whether a canonical form may stand in this split. */
  readonly inRegion: (form: string) => boolean;
  /** Whether a canonical form is used "once", or "again" as long as the text differs. */
  readonly forms: "once" | "again";
  /** What to do when there are too few. */
  readonly hint: string;
}

/** Draws in a row that bring nothing new before a cell counts as used up. */
const MAX_IDLE_DRAWS = 2000;

/**
 * The questions of all cells in random order, with ids `split-1`, `split-2`, …
 * @throws BadInputError when a cell holds fewer different questions than asked for.
 */
export function drawQuestions(cells: readonly QuestionCell[], settings: DrawSettings, rng: Rng): Question[] {
  const { task, split, inRegion, forms, hint } = settings;
  const seen = new Set<string>();
  const drawn: Omit<Question, "id">[] = [];
  for (const { name, stream, count, draw } of cells) {
    const cellRng = rng.fork(`${split} ${stream}`);
    let idle = 0;
    for (let have = 0; have < count;) {
      const candidate = draw(cellRng);
      const question = candidate !== undefined && inRegion(candidate.form) ? candidate.question() : undefined;
      const key = forms === "once" ? candidate?.form : question?.question;
      if (question !== undefined && key !== undefined && !seen.has(key)) {
        seen.add(key);
        drawn.push(question);
        have++;
        idle = 0;
      } else if (++idle > MAX_IDLE_DRAWS) {
        badInput(`${task}: ${split}`, `${count} different questions of ${name}`, `${have}`, hint);
      }
    }
  }
  return withIds(rng.fork(`${split} order`).shuffle(drawn), split);
}

/** The questions with ids `split-1`, `split-2`, … */
export function withIds(questions: readonly Omit<Question, "id">[], split: string): Question[] {
  return questions.map((question, i) => ({ ...question, id: `${split}-${i + 1}` }));
}
