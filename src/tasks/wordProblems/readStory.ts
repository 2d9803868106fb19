/**
 * @file Reads the text of a word problem back into its story, sentence by sentence,
 * by trying every phrasing that fits the scene so far. It understands exactly what
 * the phrasings can write and nothing else: a text with one unknown word is not read.
 */
import { advance } from "./operations.ts";
import { ASKS } from "./plainPhrases.ts";
import { PHRASES } from "./phrases.ts";
import { OPENING_OPS } from "./phrase.ts";
import type { Phrase } from "./phrase.ts";
import type { Scene } from "./scene.ts";
import { INVERTIBLE } from "./program.ts";
import type { StepOp } from "./program.ts";
import { openedScene } from "./story.ts";
import type { Sentence, Story } from "./story.ts";

const isOpening = (p: Phrase): boolean => (OPENING_OPS as readonly string[]).includes(p.op);
const OPENINGS = PHRASES.filter(isOpening);
const DISTRACTORS = PHRASES.filter((p) => p.op === "distractor");
const ENDINGS = PHRASES.filter((p) => p.op === "ending");
const STEPS = PHRASES.filter((p) => !isOpening(p) && p.op !== "distractor" && p.op !== "ending");

/** Longest text that is looked at; no template comes near. */
const MAX_CHARACTERS = 2000;

/** The story that `text` tells, undefined when the templates could not have written it. Total: never throws. */
export function readStory(text: string): Story | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const sentences = text.trim().split(/(?<=[.?])\s+/);
  const questionFirst = sentences[0]?.endsWith("?") === true;
  const question = questionFirst ? sentences.shift() : sentences.pop();
  const first = sentences[0];
  if (question === undefined || first === undefined || !question.endsWith("?")) return undefined;
  for (const phrase of OPENINGS) {
    const words = phrase.text?.read(first, undefined);
    if (words === undefined) continue;
    const opening: Sentence = { phrase, words };
    const story = readRest(
      { opening, steps: [], ending: undefined, distractors: [], questionFirst },
      { sentences, question, at: 1, scene: openedScene(opening) },
    );
    if (story !== undefined) return story;
  }
  return undefined;
}

type Draft = Omit<Story, "question" | "questionCluster">;

interface Position {
  readonly sentences: readonly string[];
  readonly question: string;
  /** Next sentence to read. */
  readonly at: number;
  readonly scene: Scene;
}

function readRest(draft: Draft, position: Position): Story | undefined {
  const { sentences, at, scene } = position;
  const text = sentences[at];
  if (text === undefined) return readQuestion(draft, position);
  const finished = draft.ending !== undefined || lastPhrase(draft)?.ask !== undefined;
  for (const phrase of DISTRACTORS) {
    const words = phrase.text?.read(text, scene);
    if (words === undefined || advance(phrase.op, words, scene) === undefined) continue;
    const distractors = [...draft.distractors, { after: at, sentence: { phrase, words } }];
    const story = readRest({ ...draft, distractors }, { ...position, at: at + 1 });
    if (story !== undefined) return story;
  }
  if (finished) return undefined;
  if (draft.opening.phrase.op === "unknown") {
    for (const phrase of ENDINGS) {
      const words = phrase.text?.read(text, scene);
      if (words === undefined) continue;
      const story = readRest({ ...draft, ending: { phrase, words } }, { ...position, at: at + 1 });
      if (story !== undefined) return story;
    }
  }
  for (const phrase of STEPS) {
    const words = phrase.text?.read(text, scene);
    if (words === undefined || (phrase.personOnly && scene.holder.kind !== "person")) continue;
    if (draft.opening.phrase.op === "unknown" && !INVERTIBLE.includes(phrase.op as StepOp)) continue;
    const next = advance(phrase.op, words, scene);
    if (next === undefined) continue;
    const story = readRest(
      { ...draft, steps: [...draft.steps, { phrase, words }] },
      { ...position, at: at + 1, scene: next },
    );
    if (story !== undefined) return story;
  }
  return undefined;
}

function readQuestion(draft: Draft, { question, scene }: Position): Story | undefined {
  const last = lastPhrase(draft);
  if (draft.opening.phrase.op === "unknown" && draft.ending === undefined) return undefined;
  if (last?.ask !== undefined) {
    return last.ask.read(question, scene) === undefined
      ? undefined
      : { ...draft, question: last.ask, questionCluster: last.cluster };
  }
  const lastOp = draft.ending?.phrase.op ?? last?.op ?? draft.opening.phrase.op;
  for (const ask of ASKS) {
    if (!ask.after.includes(lastOp) || (ask.personOnly && scene.holder.kind !== "person")) continue;
    if (ask.template.read(question, scene) !== undefined)
      return { ...draft, question: ask.template, questionCluster: ask.cluster };
  }
  // "How many do Ana and Ben have together?" is a step that only the question tells.
  for (const phrase of STEPS) {
    if (phrase.text !== undefined || phrase.ask === undefined || !isComparison(last)) continue;
    if (phrase.ask.read(question, scene) === undefined) continue;
    return {
      ...draft,
      steps: [...draft.steps, { phrase, words: {} }],
      question: phrase.ask,
      questionCluster: phrase.cluster,
    };
  }
  return undefined;
}

function isComparison(phrase: Phrase | undefined): boolean {
  return phrase !== undefined && (["more", "fewer", "times", "fraction"] as const).some((op) => op === phrase.op);
}

function lastPhrase(draft: Draft): Phrase | undefined {
  return draft.steps.at(-1)?.phrase;
}
