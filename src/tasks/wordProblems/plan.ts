/**
 * @file Plans: which operations a problem is made of, before any number or word.
 * Sampling plans of a given number of steps and cluster, and the edits a teacher
 * makes: the same again, one step less, one step more, another wording.
 */
import type { Rng } from "../../core/rng.ts";
import { stagesOf } from "./operations.ts";
import type { Stage } from "./operations.ts";
import { CLUSTERS } from "./phrase.ts";
import type { Cluster, OpeningOp, Phrase, PhraseOp } from "./phrase.ts";
import { STEP_OPS, linesOf } from "./program.ts";
import type { StepOp } from "./program.ts";
import { PHRASES } from "./phrases.ts";
import type { Plan } from "./story.ts";
import type { NumberSlot } from "./template.ts";
import type { NounKind, NumberStyle } from "./words.ts";

/** Most steps (lines of working) a problem may take. */
export const MAX_STEPS = 4;

const OPENING_KINDS: readonly NounKind[] = ["fruit", "baked", "thing", "money"];
/** Gains and losses are the commonest steps; the rest are equally likely. */
const COMMON: readonly StepOp[] = ["gain", "lose"];
const WEIGHTED_OPS: readonly StepOp[] = [...STEP_OPS, ...COMMON];

const PHRASES_BY_OP = new Map<PhraseOp, readonly Phrase[]>();
for (const p of PHRASES) PHRASES_BY_OP.set(p.op, [...(PHRASES_BY_OP.get(p.op) ?? []), p]);

/** Lines of working of a plan. */
export function planLines(plan: Pick<Plan, "opening" | "ops">): number {
  return (plan.opening === "groups" ? 1 : 0) + plan.ops.reduce((sum, op) => sum + linesOf(op), 0);
}

/** Phrasings of `op` in `cluster` that can be said at `stage`; those that bring a question only at the end. */
export function phrasesFor(op: PhraseOp, cluster: Cluster, stage: Stage, isLast: boolean): readonly Phrase[] {
  return (PHRASES_BY_OP.get(op) ?? []).filter(
    (p) =>
      p.cluster === cluster &&
      p.kinds.includes(stage.kind) &&
      (!p.personOnly || stage.holder === "person") &&
      (isLast || p.ask === undefined),
  );
}

/** How a cluster is made: by phrasings of its own, by how numbers are written, or by the order of the sentences. */
export function clusterMeans(cluster: Cluster): "phrases" | "numbers" | "structure" {
  switch (cluster) {
    case "colloquial":
    case "passive":
    case "indirect":
    case "calendar":
      return "phrases";
    case "dozens":
    case "spelled":
      return "numbers";
    default:
      return "structure";
  }
}

/** Sentences that can carry the cluster: 0 is the opening, i + 1 the i-th step. Empty for structural clusters. */
export function clusterSpots(plan: Plan, stages: readonly Stage[]): readonly number[] {
  const means = clusterMeans(plan.cluster);
  if (means === "structure") return [];
  const carries = (op: PhraseOp, spot: number, stage: Stage) => {
    const phrases = phrasesFor(op, means === "phrases" ? plan.cluster : "plain", stage, spot === plan.ops.length);
    return means === "phrases" ? phrases.length > 0 : phrases.some((p) => canRestyle(p, plan.cluster, stage));
  };
  const spots = plan.ops.flatMap((op, i) => (carries(op, i + 1, stages[i] as Stage) ? [i + 1] : []));
  return carries(plan.opening, 0, stages[0] as Stage) ? [0, ...spots] : spots;
}

/** How the numbers of a cluster are written. */
export function clusterStyle(cluster: Cluster): NumberStyle {
  return cluster === "dozens" ? "dozens" : cluster === "spelled" ? "words" : "digits";
}

/** Whether a slot can be written in the style: only things and people come in dozens, fractions have one form. */
export function slotTakes(slot: NumberSlot, style: NumberStyle): boolean {
  return style === "digits" || (style === "dozens" ? slot === "n" || slot === "k" : slot !== "fraction");
}

/** Whether the phrasing has a number that the cluster can write its way. Nobody counts dollars in dozens. */
export function canRestyle(p: Phrase, cluster: Cluster, stage: Stage): boolean {
  const style = clusterStyle(cluster);
  if (style === "dozens" && stage.kind === "money") return false;
  return (p.text?.numberSlots ?? []).some((slot) => slotTakes(slot, style));
}

/** Kinds of goods that the plan can be told about; none when the grammar or the cluster does not allow it. */
export function kindsFor(plan: Plan): readonly NounKind[] {
  if ((plan.opening === "unknown") !== (plan.cluster === "backward")) return [];
  const lines = planLines(plan);
  if (lines < 1 || lines > MAX_STEPS) return [];
  return OPENING_KINDS.filter((kind) => {
    const stages = stagesOf(plan.opening, plan.ops, kind);
    return (
      stages !== undefined && (clusterMeans(plan.cluster) === "structure" || clusterSpots(plan, stages).length > 0)
    );
  });
}

/** A random tellable plan with `lines` lines of working. Every (1..4 lines, cluster) has some. */
export function samplePlan(lines: number, cluster: Cluster, rng: Rng): Plan {
  for (;;) {
    const opening: OpeningOp = cluster === "backward" ? "unknown" : rng.uniform() < 0.8 ? "count" : "groups";
    const ops: StepOp[] = [];
    while (planLines({ opening, ops }) < lines) ops.push(rng.pick(WEIGHTED_OPS));
    const plan: Plan = { opening, ops, cluster };
    if (planLines(plan) === lines && kindsFor(plan).length > 0) return plan;
  }
}

/** The step that says the same with a single number, and its inverse. */
const SIMPLER: Partial<Record<StepOp, StepOp>> = { gainGroups: "gain", loseGroups: "lose" };
const HARDER: Partial<Record<StepOp, StepOp>> = { gain: "gainGroups", lose: "loseGroups" };

/** Tellable plans with fewer lines, same cluster: a step dropped, or a product replaced by a single number. */
export function simplerPlans(plan: Plan): readonly Plan[] {
  const out: Plan[] = plan.ops.map((_, i) => ({ ...plan, ops: plan.ops.toSpliced(i, 1) }));
  plan.ops.forEach((op, i) => {
    const simpler = SIMPLER[op];
    if (simpler !== undefined) out.push({ ...plan, ops: plan.ops.toSpliced(i, 1, simpler) });
  });
  if (plan.opening === "groups") out.push({ ...plan, opening: "count" });
  return out.filter((candidate) => kindsFor(candidate).length > 0);
}

/** Tellable plans (at most `MAX_STEPS` lines) of the same cluster with one more step. */
export function longerPlans(plan: Plan): readonly Plan[] {
  const out: Plan[] = [];
  for (let i = 0; i <= plan.ops.length; i++)
    for (const op of STEP_OPS) out.push({ ...plan, ops: plan.ops.toSpliced(i, 0, op) });
  return out.filter((candidate) => kindsFor(candidate).length > 0);
}

/** Tellable plans with more lines (at most `MAX_STEPS`), same cluster: a step added, or a single number replaced by a product. */
export function harderPlans(plan: Plan): readonly Plan[] {
  const out: Plan[] = [...longerPlans(plan)];
  plan.ops.forEach((op, i) => {
    const harder = HARDER[op];
    if (harder !== undefined) out.push({ ...plan, ops: plan.ops.toSpliced(i, 1, harder) });
  });
  if (plan.opening === "count") out.push({ ...plan, opening: "groups" });
  return out.filter((candidate) => kindsFor(candidate).length > 0);
}

/** Tellable plans of the same operations in another cluster than the plan's own and the plain one. */
export function rarerPlans(plan: Plan): readonly Plan[] {
  return CLUSTERS.filter((cluster) => cluster !== "plain" && cluster !== plan.cluster)
    .map((cluster) => ({ ...plan, cluster }))
    .filter((candidate) => kindsFor(candidate).length > 0);
}
