/**
 * @file A told word problem: its sentences as phrasings with words filled in. A
 * story has exactly one text (`tellStory`) and one program (`storyProgram`);
 * `readStory.ts` goes back from the text.
 */
import { invariant } from "../../core/errors.ts";
import { advance } from "./operations.ts";
import { CLUSTERS } from "./phrase.ts";
import type { Cluster, OpeningOp, Phrase } from "./phrase.ts";
import { STEP_OPS } from "./program.ts";
import type { Program, StepOp } from "./program.ts";
import { openingScene } from "./scene.ts";
import type { Scene } from "./scene.ts";
import type { SlotWords, Template } from "./template.ts";
import { numberStyle, readNumber } from "./words.ts";

/** One phrasing with its free words. */
export interface Sentence {
  readonly phrase: Phrase;
  readonly words: SlotWords;
}

export interface Story {
  readonly opening: Sentence;
  readonly steps: readonly Sentence[];
  /** The final quantity of a backward problem. */
  readonly ending: Sentence | undefined;
  /** Sentences that do not matter, told after so many others (the opening included). */
  readonly distractors: readonly { readonly after: number; readonly sentence: Sentence }[];
  readonly question: Template;
  readonly questionCluster: Cluster;
  readonly questionFirst: boolean;
}

/** Skeleton of a story: what happens, without numbers or words. */
export interface Plan {
  readonly opening: OpeningOp;
  readonly ops: readonly StepOp[];
  readonly cluster: Cluster;
}

/** The scene that a story opens with. */
export function openedScene(opening: Sentence): Scene {
  const { who, goods } = opening.words;
  invariant(who !== undefined && goods !== undefined, "an opening names a person and goods");
  return openingScene(who, goods);
}

/** The text of a story, one line. */
export function tellStory(story: Story): string {
  let scene = openedScene(story.opening);
  const sentences: string[] = [];
  const say = (template: Template | undefined, words: SlotWords, at: Scene | undefined) => {
    if (template === undefined) return;
    const text = template.write(words, at);
    invariant(text !== undefined, `template ${JSON.stringify(template.source)} lacks a word`);
    sentences.push(text);
  };
  const interject = () => {
    for (const { after, sentence } of story.distractors)
      if (after === sentences.length) say(sentence.phrase.text, sentence.words, scene);
  };
  say(story.opening.phrase.text, story.opening.words, undefined);
  interject();
  for (const { phrase, words } of story.steps) {
    say(phrase.text, words, scene);
    const next = advance(phrase.op, words, scene);
    invariant(next !== undefined, `step ${phrase.op} does not fit its scene`);
    scene = next;
    interject();
  }
  if (story.ending !== undefined) {
    say(story.ending.phrase.text, story.ending.words, scene);
    interject();
  }
  const question = story.question.write({}, scene);
  invariant(question !== undefined, `question ${JSON.stringify(story.question.source)} lacks a word`);
  return (story.questionFirst ? [question, ...sentences] : [...sentences, question]).join(" ");
}

/** Numbers of a sentence in the order of the text, then the one its wording fixes. */
export function sentenceNumbers({ phrase, words }: Sentence): number[] {
  const written = (phrase.text?.numberSlots ?? []).map((slot) => {
    const value = readNumber(words[slot] ?? "");
    invariant(value !== undefined, `slot {${slot}} of ${JSON.stringify(phrase.text?.source)} is no number`);
    return value;
  });
  return phrase.fixed === undefined ? written : [...written, phrase.fixed];
}

/** The arithmetic of a story. */
export function storyProgram(story: Story): Program {
  const steps = story.steps.map((sentence) => ({ op: stepOp(sentence), operands: sentenceNumbers(sentence) }));
  return story.ending === undefined
    ? { ask: "end", given: sentenceNumbers(story.opening), steps }
    : { ask: "start", given: sentenceNumbers(story.ending), steps };
}

/** The cluster that sets a story apart: "plain" when nothing does; the first of `CLUSTERS` where several do. */
export function storyCluster(story: Story): Cluster {
  const found = new Set<Cluster>([story.questionCluster]);
  for (const sentence of [story.opening, ...story.steps, ...story.distractors.map((d) => d.sentence)]) {
    found.add(sentence.phrase.cluster);
    for (const slot of sentence.phrase.text?.numberSlots ?? []) {
      const style = numberStyle(sentence.words[slot] ?? "");
      if (style !== "digits") found.add(style === "words" ? "spelled" : "dozens");
    }
  }
  if (story.questionFirst) found.add("question-first");
  return CLUSTERS.find((cluster) => cluster !== "plain" && found.has(cluster)) ?? "plain";
}

export function storyPlan(story: Story): Plan {
  const opening = story.opening.phrase.op;
  invariant(opening === "count" || opening === "groups" || opening === "unknown", `${opening} opens no story`);
  return { opening, ops: story.steps.map(stepOp), cluster: storyCluster(story) };
}

function stepOp({ phrase }: Sentence): StepOp {
  const op = STEP_OPS.find((known) => known === phrase.op);
  invariant(op !== undefined, `${phrase.op} is no step`);
  return op;
}
