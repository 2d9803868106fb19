/**
 * @file Writes a story from a plan: phrasings, then numbers that come out even,
 * then names and objects. Any draw that leads nowhere is given up and begun anew.
 */
import type { Rng } from "../../core/rng.ts";
import { chooseNumbers } from "./chooseNumbers.ts";
import type { Line, NumberLimits } from "./chooseNumbers.ts";
import { advance, stagesOf } from "./operations.ts";
import type { Stage } from "./operations.ts";
import type { Ask } from "./phrase.ts";
import { canRestyle, clusterMeans, clusterSpots, clusterStyle, kindsFor, phrasesFor, slotTakes } from "./plan.ts";
import { ASKS } from "./plainPhrases.ts";
import type { Scene } from "./scene.ts";
import { openedScene } from "./story.ts";
import type { Plan, Sentence, Story } from "./story.ts";
import { isNumberSlot } from "./template.ts";
import type { FreeSlot, NumberSlot, SlotWords } from "./template.ts";
import {
  CONTAINERS_FOR,
  GOODS,
  NAMES,
  PEOPLE,
  PLACES,
  RELATIVES,
  nounsOf,
  pronouns,
  singularContainer,
  writeFraction,
  writeNumber,
  writeTimes,
} from "./words.ts";
import type { NounKind, NumberStyle } from "./words.ts";

const ATTEMPTS = 60;
/** A second sentence of the cluster is as likely as not. */
const SPREAD = 0.5;
const DISTRACTOR_RANGE = [6, 40] as const;

/** A random story for `plan`, undefined when `ATTEMPTS` draws found none (tight limits, or a plan that cannot be told). */
export function writeStory(plan: Plan, limits: NumberLimits, rng: Rng): Story | undefined {
  const kinds = kindsFor(plan);
  if (kinds.length === 0) return undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const story = attemptStory(plan, rng.pick(kinds), limits, rng);
    if (story !== undefined) return story;
  }
  return undefined;
}

function attemptStory(plan: Plan, kind: NounKind, limits: NumberLimits, rng: Rng): Story | undefined {
  const stages = stagesOf(plan.opening, plan.ops, kind);
  const lines = stages === undefined ? undefined : chooseLines(plan, stages, rng);
  if (lines === undefined) return undefined;
  const numbers = chooseNumbers(plan, lines, limits, rng);
  return numbers === undefined ? undefined : fillWords(plan, kind, lines, numbers, rng);
}

function chooseLines(plan: Plan, stages: readonly Stage[], rng: Rng): Line[] | undefined {
  const spots = clusterSpots(plan, stages);
  const means = clusterMeans(plan.cluster);
  const certain = spots.length > 0 ? rng.pick(spots) : -1;
  const lines: Line[] = [];
  for (const [spot, op] of [plan.opening, ...plan.ops].entries()) {
    const stage = stages[Math.max(0, spot - 1)] as Stage;
    const marked = spots.includes(spot) && (spot === certain || rng.uniform() < SPREAD);
    const cluster = op === "unknown" || (marked && means === "phrases") ? plan.cluster : "plain";
    let phrases = phrasesFor(op, cluster, stage, spot === plan.ops.length);
    if (marked && means === "numbers") phrases = phrases.filter((p) => canRestyle(p, plan.cluster, stage));
    if (phrases.length === 0) return undefined;
    lines.push({ phrase: rng.pick(phrases), style: marked ? clusterStyle(plan.cluster) : "digits" });
  }
  return lines;
}

function fillWords(
  plan: Plan,
  kind: NounKind,
  lines: readonly Line[],
  numbers: readonly (readonly number[])[],
  rng: Rng,
): Story | undefined {
  const [openingLine, ...stepLines] = lines;
  if (openingLine === undefined) return undefined;
  const opening = fill(openingLine, numbers[0] ?? [], undefined, kind, rng);
  if (opening === undefined) return undefined;
  const steps: Sentence[] = [];
  const scenes: Scene[] = [openedScene(opening)];
  let scene = openedScene(opening);
  for (const [i, line] of stepLines.entries()) {
    const sentence = fill(line, numbers[i + 1] ?? [], scene, kind, rng);
    const next = sentence === undefined ? undefined : advance(line.phrase.op, sentence.words, scene);
    if (sentence === undefined || next === undefined) return undefined;
    steps.push(sentence);
    scene = next;
    scenes.push(scene);
  }
  const ending =
    plan.opening === "unknown"
      ? fill(
          {
            phrase: rng.pick(phrasesFor("ending", "backward", { holder: scene.holder.kind, kind }, true)),
            style: "digits",
          },
          numbers.at(-1) ?? [],
          scene,
          kind,
          rng,
        )
      : undefined;
  const question = chooseQuestion(plan, lines, ending, scene, rng);
  if (question === undefined) return undefined;
  const distractors = plan.cluster === "distractor" ? distract(lines, scenes, kind, rng) : [];
  return { opening, steps, ending, distractors, ...question, questionFirst: plan.cluster === "question-first" };
}

function fill(
  { phrase, style }: Line,
  numbers: readonly number[],
  scene: Scene | undefined,
  kind: NounKind,
  rng: Rng,
): Sentence | undefined {
  const words: Partial<Record<FreeSlot, string>> = {};
  let next = 0;
  for (const slot of phrase.text?.freeSlots ?? []) {
    const text = isNumberSlot(slot)
      ? writeSlotNumber(slot, numbers[next++] ?? 0, style)
      : chooseWord(slot, scene, kind, rng);
    if (text === undefined) return undefined;
    words[slot] = text;
  }
  return { phrase, words: words satisfies SlotWords };
}

function writeSlotNumber(slot: NumberSlot, value: number, lineStyle: NumberStyle): string | undefined {
  const style = slotTakes(slot, lineStyle) ? lineStyle : "digits";
  if (slot === "times") return writeTimes(value, style);
  return slot === "fraction" ? writeFraction(value) : writeNumber(value, style);
}

function chooseWord(slot: FreeSlot, scene: Scene | undefined, kind: NounKind, rng: Rng): string | undefined {
  switch (slot) {
    case "who":
      return rng.pick(NAMES);
    case "goods":
      return rng.pick(nounsOf(kind));
    case "other": {
      // The other pronoun keeps "she" and "he" apart in what follows.
      const others = NAMES.filter(
        (name) => scene !== undefined && !scene.names.includes(name) && pronouns(name).subject !== scene.holder.subject,
      );
      return others.length === 0 ? undefined : rng.pick(others);
    }
    case "boxes":
    case "box": {
      const plural = rng.pick(CONTAINERS_FOR[kind]);
      return slot === "boxes" ? plural : singularContainer(plural);
    }
    case "people":
      return rng.pick(Object.keys(PEOPLE));
    case "place":
      return rng.pick(PLACES);
    case "relative":
      return rng.pick(RELATIVES);
    case "thing":
      return rng.pick(GOODS.filter((other) => other !== kind).flatMap(nounsOf));
    default:
      return undefined;
  }
}

function chooseQuestion(
  plan: Plan,
  lines: readonly Line[],
  ending: Sentence | undefined,
  scene: Scene,
  rng: Rng,
): Pick<Story, "question" | "questionCluster"> | undefined {
  const last = lines.at(-1)?.phrase;
  if (last?.ask !== undefined) return { question: last.ask, questionCluster: last.cluster };
  const lastOp = ending?.phrase.op ?? last?.op;
  const fits = (ask: Ask) =>
    lastOp !== undefined &&
    ask.after.includes(lastOp) &&
    (ask.cluster === "plain" || ask.cluster === plan.cluster) &&
    (!ask.personOnly || scene.holder.kind === "person");
  const asks = ASKS.filter(fits);
  if (asks.length === 0) return undefined;
  const ask = rng.pick(asks);
  return { question: ask.template, questionCluster: ask.cluster };
}

/** One distractor, after any sentence that the story tells. */
function distract(lines: readonly Line[], scenes: readonly Scene[], kind: NounKind, rng: Rng): Story["distractors"] {
  const told = lines.filter((line) => line.phrase.text !== undefined).length;
  const after = rng.integer(1, told);
  const scene = scenes[after - 1] as Scene;
  const phrase = rng.pick(phrasesFor("distractor", "distractor", { holder: scene.holder.kind, kind: "thing" }, true));
  const number = rng.integer(...DISTRACTOR_RANGE);
  const sentence = fill({ phrase, style: "digits" }, [number], scene, kind, rng);
  return sentence === undefined ? [] : [{ after, sentence }];
}
