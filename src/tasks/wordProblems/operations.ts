/**
 * @file The grammar of a word problem: which steps may follow which, and how each
 * changes the scene. The arithmetic is in `program.ts`, the words in the phrase tables.
 */
import { eachOf, person, pluralContainer } from "./scene.ts";
import type { Holder, Scene } from "./scene.ts";
import { INVERTIBLE } from "./program.ts";
import type { StepOp } from "./program.ts";
import type { OpeningOp, PhraseOp } from "./phrase.ts";
import type { SlotWords } from "./template.ts";
import type { NounKind } from "./words.ts";

const COMPARISONS: readonly StepOp[] = ["more", "fewer", "times", "fraction"];
/** Steps that bring the final question with them. */
const TERMINAL: readonly StepOp[] = ["total", "difference", "need", "together"];
/** Steps that make sense for "each friend" after a share. */
const FOR_EACH: readonly StepOp[] = ["gain", "lose"];
/** Steps told at most once: a second share or sale reads oddly. */
const ONCE: readonly StepOp[] = ["share", "pack", "cost", "grow", "part"];
const MAX_COMPARISONS = 2;

const FORBIDDEN_FOR: Readonly<Record<NounKind, readonly StepOp[]>> = {
  fruit: [],
  baked: [],
  thing: [],
  money: ["cost", "pack"],
  container: ["gainGroups", "loseGroups", "pack"],
};

/** What the grammar needs to know of the scene at one point. */
export interface Stage {
  readonly holder: Holder["kind"];
  readonly kind: NounKind;
}

/**
 * The stage before each step and after the last one (`ops.length + 1` entries) when a
 * problem that opens with `opening` about goods of `kind` may go on with `ops`;
 * undefined when the grammar does not allow it.
 */
export function stagesOf(opening: OpeningOp, ops: readonly StepOp[], kind: NounKind): readonly Stage[] | undefined {
  if (kind === "container") return undefined;
  const stages: Stage[] = [{ holder: "person", kind }];
  let stage: Stage = { holder: "person", kind };
  for (const [i, op] of ops.entries()) {
    if (!mayFollow(opening, ops.slice(0, i), op, stage)) return undefined;
    stage = {
      holder: op === "share" ? "each" : stage.holder,
      kind: op === "pack" ? "container" : op === "cost" ? "money" : stage.kind,
    };
    stages.push(stage);
  }
  return stages;
}

function mayFollow(opening: OpeningOp, before: readonly StepOp[], op: StepOp, stage: Stage): boolean {
  const last = before.at(-1);
  if (last === op || (last !== undefined && TERMINAL.includes(last))) return false;
  if (opening === "unknown" && !INVERTIBLE.includes(op)) return false;
  if (opening === "unknown" && last === "share") return false;
  if (stage.holder === "each" && !FOR_EACH.includes(op)) return false;
  if (FORBIDDEN_FOR[stage.kind].includes(op)) return false;
  if (ONCE.includes(op) && before.includes(op)) return false;
  if (op === "together") return last !== undefined && COMPARISONS.includes(last);
  return !(
    COMPARISONS.includes(op) && before.filter((earlier) => COMPARISONS.includes(earlier)).length >= MAX_COMPARISONS
  );
}

/** The scene after a sentence of kind `op` with the free words `words`; undefined when the words do not fit it. */
export function advance(op: PhraseOp, words: SlotWords, scene: Scene): Scene | undefined {
  switch (op) {
    case "more":
    case "fewer":
    case "times":
    case "fraction": {
      const { other } = words;
      if (other === undefined || scene.names.includes(other) || scene.holder.kind !== "person") return undefined;
      return { ...scene, holder: person(other), rival: scene.holder.name, names: [...scene.names, other] };
    }
    case "total":
    case "difference": {
      const { other } = words;
      if (other === undefined || scene.names.includes(other)) return undefined;
      return { ...scene, rival: other, names: [...scene.names, other] };
    }
    case "share": {
      if (words.people === undefined) return scene;
      const holder = eachOf(words.people);
      return holder === undefined ? undefined : { ...scene, holder };
    }
    case "pack": {
      const unit = pluralContainer(words.boxes ?? words.box ?? "");
      return unit === undefined ? undefined : { ...scene, unit };
    }
    case "cost":
      return { ...scene, unit: "dollars" };
    case "distractor":
      // "She also has 8 apples" matters when apples are what is counted.
      return words.thing === scene.unit || words.thing === scene.first.unit ? undefined : scene;
    default:
      return scene;
  }
}
