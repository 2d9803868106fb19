/**
 * @file Phase "verify": which taught pairs may be trained on, and, with refills, new ones in place of
 * those that may not. A question that the
 * pool, a held-out split or an earlier accepted pair has already (by canonical
 * form) is rejected whatever the settings: test questions never enter training.
 */
import { RougeIndex } from "../../core/rougeL.ts";
import type { Task, Verdict } from "../../tasks/types.ts";
import { NO_USAGE, addUsage } from "../../teacher/usage.ts";
import type { ExperimentConfig } from "../config.ts";
import { planRefill } from "../generationPlan.ts";
import type { LoopRecord, SyntheticExample } from "../records.ts";
import { encodingProblem, phaseRecord, phaseRng } from "../runState.ts";
import type { RunState } from "../runState.ts";
import { measure } from "./measure.ts";
import { askFor } from "./teach.ts";
import type { TaughtItem } from "./teach.ts";

type Judged = Pick<SyntheticExample, "accepted" | "verification" | "reason">;

/** A round's pairs, and how often it asked again in place of rejected ones. */
export interface Verified {
  readonly examples: readonly SyntheticExample[];
  readonly refills: number;
}

/** Judges the round's items in order, refills what was rejected, and adds all to `run.examples`; each is stored before it is yielded. */
export async function* verify(
  run: RunState,
  round: number,
  taught: readonly TaughtItem[],
): AsyncGenerator<LoopRecord, Verified, void> {
  const stored = new Map(
    (run.stored?.examples ?? []).filter((example) => example.round === round).map((example) => [example.id, example]),
  );
  yield phaseRecord(round, "verify", "start", 0, taught.length);
  const known = acceptedBefore(run);
  const found: SyntheticExample[] = [];
  let used = taught.reduce((sum, { usage }) => addUsage(sum, usage), NO_USAGE);
  let refills = 0;
  /** Pairs of this pass, each with the planned one that it stands for. */
  let pass = taught.map((item) => ({ item, root: item }));
  for (;;) {
    const total = found.length + pass.length;
    const rejected: TaughtItem[] = [];
    for (const { item, root } of pass) {
      const example = stored.get(item.id) ?? { ...describe(run, round, item), ...judge(run, item, known) };
      if (example.accepted) accept(run, known, example.question);
      else rejected.push(root);
      found.push(example);
      yield phaseRecord(round, "verify", "progress", found.length, total);
    }
    // What was stored decides, not what this session did: a resumed run asks the same again.
    const open = run.config.pairs === "teacher" && !pass.some(({ item }) => item.budget);
    if (!open || rejected.length === 0 || refills === run.config.refills) break;
    refills++;
    const plan = rejected.map((root) => planRefill(run, round, root, refills));
    const progress = (): LoopRecord =>
      phaseRecord(round, "verify", "progress", found.length, found.length + plan.length);
    const asked = yield* askFor(run, round, plan, progress, used);
    used = asked.reduce((sum, { usage }) => addUsage(sum, usage), used);
    pass = asked.map((item, i) => ({ item, root: rejected[i] ?? item }));
  }
  // A student that has trained ahead can no longer score; by then every example is stored.
  const scores = found.every(({ id }) => stored.has(id))
    ? new Map<string, number>()
    : yield* scoreAccepted(run, round, found);
  const examples: SyntheticExample[] = [];
  for (const one of found) {
    const score = scores.get(one.id);
    const example = stored.get(one.id) ?? { ...one, ...(score === undefined ? {} : { score }) };
    if (!stored.has(one.id)) await run.store.append({ type: "example", example });
    examples.push(example);
    yield { type: "example", example };
  }
  run.examples.push(...examples);
  if (taught.length > 0 && !examples.some((example) => example.accepted)) {
    yield {
      type: "warning",
      code: "nothing-accepted",
      message: `round ${round}: none of ${examples.length} synthetic pairs was accepted; the first was rejected because: ${examples[0]?.reason ?? ""}`,
    };
  }
  yield phaseRecord(round, "verify", "end", examples.length, examples.length);
  return { examples, refills };
}

/** What new questions are held against. */
interface Accepted {
  /** Canonical forms of accepted pairs. */
  readonly forms: Set<string>;
  /** Texts of seeds and accepted pairs; undefined where near-duplicates are kept. */
  readonly texts: RougeIndex | undefined;
}

function acceptedBefore(run: RunState): Accepted {
  const known: Accepted = { forms: new Set(), texts: run.config.maxRougeL < 1 ? new RougeIndex() : undefined };
  for (const { question } of run.splits.pool) known.texts?.add(question);
  for (const example of run.examples) if (example.accepted) accept(run, known, example.question);
  return known;
}

function accept(run: RunState, known: Accepted, question: string): void {
  known.forms.add(run.task.canonical(question));
  known.texts?.add(question);
}

/** The strategy's score of the accepted questions, by id; none unless asked for, or where it takes a teacher's call or is none of single questions. */
async function* scoreAccepted(
  run: RunState,
  round: number,
  examples: readonly SyntheticExample[],
): AsyncGenerator<LoopRecord, ReadonlyMap<string, number>, void> {
  const { measures } = run.strategy;
  const accepted = examples.filter((example) => example.accepted);
  const askable = measures.length > 0 && measures.every(({ kind }) => kind !== "judge");
  if (!run.config.scoreSynthetic || !askable || accepted.length === 0) return new Map();
  const questions = accepted.map(({ id, question, answer, level = "" }) => ({ id, question, answer, level, round }));
  const look = { measures, show: false, answers: false };
  const work = measure(run, round, questions, look, phaseRng(run, round, "verify"));
  for (;;) {
    const next = await work.next();
    if (next.done === true)
      return new Map(
        next.value.flatMap(({ score }, i) => (score === undefined ? [] : [[questions[i]?.id ?? "", score]])),
      );
    yield phaseRecord(round, "verify", "progress", examples.length, examples.length);
  }
}

function describe(run: RunState, round: number, item: TaughtItem): Omit<SyntheticExample, keyof Judged> {
  const { seed, score, rank } = item.picked;
  return {
    id: item.id,
    round,
    seedId: seed.id,
    operation: item.operation,
    question: item.question,
    answer: item.answer,
    ...(item.level === undefined ? {} : { level: item.level }),
    ...(score === null ? {} : { seedScore: score }),
    ...(rank === null ? {} : { seedRank: rank }),
    ...(item.failure === undefined && !item.taken ? { sound: run.task.verify(item).correct } : {}),
    usage: item.usage,
  };
}

function judge(run: RunState, item: TaughtItem, known: Accepted): Judged {
  if (item.failure !== undefined) return { accepted: false, verification: "failed", reason: item.failure };
  const canonical = run.task.canonical(item.question);
  const own = item.operation === "copy";
  if (run.reserved.has(canonical) && !own)
    return {
      accepted: false,
      verification: "duplicate",
      reason: "the question is one of the pool, validation or test questions",
    };
  if (known.forms.has(canonical))
    return { accepted: false, verification: "duplicate", reason: "the question is one of an earlier accepted pair" };
  if (own) return { accepted: true, verification: "off", reason: "the seed's own pair" };
  const like = known.texts?.nearest(item.question, run.config.maxRougeL);
  if (like !== undefined)
    return {
      accepted: false,
      verification: "near-duplicate",
      reason: `ROUGE-L ${like.rougeL.toFixed(3)}, over ${run.config.maxRougeL}, with: ${like.text}`,
    };
  const tooLong = encodingProblem(run, item);
  if (tooLong !== undefined) return { accepted: false, verification: "failed", reason: tooLong };
  const verdict = verdictOn(run.task, run.config.verification, item);
  if (verdict === undefined) return { accepted: true, verification: "off", reason: "not checked" };
  return { accepted: verdict.correct, verification: verdict.correct ? "passed" : "failed", reason: verdict.reason };
}

/**
 * What the check says of a pair, undefined where nothing is checked. `answer`: the final answer against the task's own solver,
 * whatever the steps; a task without a solver can only check the whole pair.
 */
export function verdictOn(
  task: Task,
  verification: ExperimentConfig["verification"],
  pair: { readonly question: string; readonly answer: string },
): Verdict | undefined {
  switch (verification) {
    case "off":
      return undefined;
    case "steps":
      return task.verify(pair);
    case "answer": {
      if (task.author === undefined) return task.verify(pair);
      const answer = task.author.solve(pair.question);
      return answer === undefined
        ? { correct: false, expected: "", got: undefined, reason: "the task's solver cannot answer the question" }
        : task.check({ question: pair.question, answer }, pair.answer);
    }
    default:
      return verification satisfies never;
  }
}
