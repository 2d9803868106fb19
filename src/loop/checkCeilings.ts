/**
 * @file Whether a run's ceilings leave room for its first pair, found out before anything runs: the
 * built-in teacher's first calls are made and counted for every seed that could be picked first, a
 * chat teacher's are written out as they would be sent. Nothing is sent, stored or charged.
 */
import { badInput } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import { createStrategy } from "../selection/registry.ts";
import type { Question, Splits, Task } from "../tasks/types.ts";
import type { Teacher, TeacherUsage } from "../teacher/types.ts";
import { NO_USAGE, addUsage } from "../teacher/usage.ts";
import { budgetedTeacher } from "./budgetedTeacher.ts";
import type { ExperimentConfig } from "./config.ts";
import { planFirst } from "./generationPlan.ts";
import type { PlannedPair } from "./generationPlan.ts";

/** Seeds whose first pair is tried out; of larger pools the first. */
const TRIED_SEEDS = 200;
/** No question and answer of a built-in task takes more: larger ceilings need no trying out. */
const LONG_PAIR_TOKENS = 4000;
const TOKENS_PER_PRICE = 1e6;
/** Smallest step of money that a message shows, in US dollars. */
const MONEY_DIGITS = 6;

/** A ceiling by the name of its field, with what was set and what is needed. */
export interface Ceiling {
  readonly field: string;
  readonly set: number | undefined;
  readonly needed: number;
  readonly money?: true;
}

/**
 * Resolves where every ceiling has room for the first pair of whichever seed is picked first, judgements of
 * the pool before it included.
 * @throws BadInputError naming the field and the smallest value that works.
 */
export async function checkCeilings(
  config: ExperimentConfig,
  task: Task,
  splits: Splits,
  teacher: Teacher,
): Promise<void> {
  const { chat, name } = config.teacher;
  const asks = config.pairs === "teacher" && config.rounds > (config.warmUp === "seeds" ? 1 : 0) && name !== "none";
  const { pool } = splits;
  if (!asks || pool.length === 0) return;
  // What a chat's requests are made of comes with the packages that chats need: not before one is chosen.
  const ceilings =
    chat === undefined
      ? await builtInCeilings(config, task, splits, teacher)
      : (await import("./chatCeilings.ts")).chatCeilings(config, chat, task, pool, judges(config));
  for (const { field, set, needed, money } of ceilings) {
    if (set === undefined || set >= needed) continue;
    const [asked, got] = money === true ? [upTo(needed), String(set)] : [String(needed), String(set)];
    badInput(
      field,
      `at least ${asked}, what the first pair can take${judges(config) ? " with the judgements of the pool before it" : ""}`,
      got,
      "Raise it, or leave it out",
    );
  }
}

/** Money rounded up to what a message shows. */
function upTo(usd: number): string {
  const scale = 10 ** MONEY_DIGITS;
  return String(Math.ceil(usd * scale) / scale);
}

function judges({ strategy: { name, picker, ...options } }: ExperimentConfig): boolean {
  return createStrategy(name, picker, options).measures.some(({ kind }) => kind === "judge");
}

async function builtInCeilings(
  config: ExperimentConfig,
  task: Task,
  { pool, validation, test }: Splits,
  teacher: Teacher,
): Promise<readonly Ceiling[]> {
  const { teacherTokens, costUsd } = config.budget;
  if (teacherTokens === undefined && costUsd === undefined) return [];
  const asked = budgetedTeacher(teacher, { ...config, budget: {} }, [], false);
  const rng = new Rng(config.seed).fork("ceilings");
  let judged = NO_USAGE;
  if (judges(config)) {
    // What the student will answer is not known yet: about as much as the worked answer.
    for (const seed of pool) {
      const answers = [seed.answer, seed.answer] as const;
      judged = addUsage(judged, (await asked.judge(seed.question, answers, { rng: rng.fork(seed.id) })).usage);
    }
  }
  const { promptUsd = 0, completionUsd = 0 } = config.teacher.price ?? {};
  const longPairUsd = (LONG_PAIR_TOKENS * Math.max(promptUsd, completionUsd)) / TOKENS_PER_PRICE;
  const spare = (ceiling: number | undefined, used: number): number => (ceiling ?? Infinity) - used;
  if (spare(teacherTokens, tokensOf(judged)) >= LONG_PAIR_TOKENS && spare(costUsd, judged.costUsd) >= longPairUsd)
    return [];
  const reserved = new Set([...pool, ...validation, ...test].map(({ question }) => task.canonical(question)));
  const taken = (question: string): boolean => reserved.has(task.canonical(question));
  const pairs: TeacherUsage[] = [];
  for (const seed of pool.slice(0, TRIED_SEEDS))
    for (const plan of planFirst(config, seed)) pairs.push(await usageOf(asked, seed, plan, taken));
  const most = (of: (usage: TeacherUsage) => number): number => Math.max(0, ...pairs.map(of));
  return [
    { field: "budget.teacherTokens", set: teacherTokens, needed: tokensOf(judged) + most(tokensOf) },
    { field: "budget.costUsd", set: costUsd, needed: judged.costUsd + most((usage) => usage.costUsd), money: true },
  ];
}

/** What the pair takes, made as the run would make it; nothing for one that the teacher cannot write. */
async function usageOf(
  teacher: Teacher,
  seed: Question,
  { operation, rng }: PlannedPair,
  taken: (question: string) => boolean,
): Promise<TeacherUsage> {
  if (operation === "copy") return NO_USAGE;
  try {
    if (teacher.pair !== undefined) return (await teacher.pair(seed, operation, { rng: rng.fork("pair") })).usage;
    const first = await teacher.propose(seed, operation, { rng: rng.fork("propose") });
    // The teacher is not asked to answer a question of a split, here as there.
    if (taken(first.value.question)) return first.usage;
    const call = { rng: rng.fork("answer"), example: seed };
    return addUsage(first.usage, (await teacher.answer(first.value.question, call)).usage);
  } catch {
    // A call that fails costs the run its item, and nothing here.
    return NO_USAGE;
  }
}

function tokensOf({ promptTokens, completionTokens }: TeacherUsage): number {
  return promptTokens + completionTokens;
}
