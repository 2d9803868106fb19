/**
 * @file What a run would ask of its chat teacher: a dry run over the experiment's own pool.
 * Every prompt is written out as it would be sent, replies are taken to be as long as the
 * pool's own questions and answers; nothing is sent. Not here: what the student costs.
 */
import { createStrategy } from "../selection/registry.ts";
import type { Question, Task } from "../tasks/types.ts";
import { fillTemplate, promptsFor } from "../teacher/prompts/registry.ts";
import type { TeacherDemand, TeacherEstimate } from "../teacher/types.ts";
import type { ExperimentConfig } from "./config.ts";
import { splitsOf } from "./splitsOf.ts";

/** English text in the usual tokenizers; other scripts take up to four times as many. */
const CHARACTERS_PER_TOKEN = 4;
/** A service's usual pace, where nothing was measured. */
const FIRST_TOKEN_SECONDS = 0.5;
const TOKENS_PER_SECOND = 50;
const SECONDS_PER_MINUTE = 60;
const TOKENS_PER_PRICE = 1e6;

export interface EstimateOptions {
  /** Seconds that one request takes, where it is known. */
  readonly requestSeconds?: number | undefined;
}

/** An average call, in tokens. */
interface Call {
  readonly prompt: number;
  readonly reply: number;
}

/**
 * The estimate of a whole run whose pairs are all accepted, and what it comes to at most where rejected ones are asked for again; without retries, faults, and replies from the cache; undefined for a teacher that asks nobody.
 * @throws BadInputError as the run would, for prompts and data that do not fit.
 */
export function estimateRun(
  config: ExperimentConfig,
  task: Task,
  { requestSeconds }: EstimateOptions = {},
): TeacherEstimate | undefined {
  const { chat, name } = config.teacher;
  if (chat === undefined) return undefined;
  const { pool } = splitsOf(task, config);
  const { templates, operations } = promptsFor(task.name, chat.prompts);
  const ofPool = (lengthOf: (seed: Question) => number): number =>
    pool.reduce((sum, seed) => sum + lengthOf(seed), 0) / Math.max(1, pool.length) / CHARACTERS_PER_TOKEN;
  const call = (
    template: "propose" | "answer" | "pair" | "judge",
    values: (seed: Question) => Readonly<Record<string, string>>,
    reply: (seed: Question) => object,
  ): Call => ({
    prompt: ofPool((seed) => templates.system.length + fillTemplate(templates[template], values(seed)).length),
    reply: ofPool((seed) => JSON.stringify(reply(seed)).length),
  });
  const like = ({ question, answer }: Question) => ({ question, answer, operation: operations.vary });
  const shown = ({ question, answer }: Question) => ({ question, exampleQuestion: question, exampleAnswer: answer });
  const answered = ({ question, answer }: Question) => ({ question, first: answer, second: answer });
  const ofItem =
    chat.calls === "one"
      ? [call("pair", like, ({ question, answer }) => ({ question, answer }))]
      : [call("propose", like, ({ question }) => ({ question })), call("answer", shown, ({ answer }) => ({ answer }))];
  const judged = call("judge", answered, () => ({ first: 5, second: 5 }));
  const { name: strategyName, picker, ...options } = config.strategy;
  const judges = createStrategy(strategyName, picker, options).measures.some(({ kind }) => kind === "judge");
  const { examples = Infinity } = config.budget;
  const perRound = config.querySize * config.perSeed;
  const asking = config.pairs === "teacher" ? config.rounds - (config.warmUp === "seeds" ? 1 : 0) : 0;
  const { price, limits } = chat;
  const concurrency = name === "transformers" ? 1 : chat.concurrency;
  /** Own answers judged in `rounds` rounds, each in both orders: of the seeds, and of earlier pairs where they can be picked too. */
  const judgements = (rounds: number): number => {
    const looked = config.query.scores === "frozen" ? Math.min(1, rounds) : rounds;
    let questions = looked * pool.length;
    if (config.query.candidates === "all")
      for (let before = 1; before < looked; before++) questions += Math.min(before * perRound, examples);
    return 2 * questions;
  };
  /** `items` pairs in `rounds` rounds. */
  const demand = (items: number, rounds: number): TeacherDemand & { readonly requestSeconds: number } => {
    const calls: readonly (readonly [Call, number])[] = [
      ...ofItem.map((one) => [one, items] as const),
      ...(judges ? [[judged, judgements(rounds)] as const] : []),
    ];
    const total = (part: keyof Call): number =>
      Math.round(calls.reduce((sum, [one, count]) => sum + one[part] * count, 0));
    const requests = calls.reduce((sum, [, count]) => sum + count, 0);
    const promptTokens = total("prompt");
    const completionTokens = total("reply");
    const seconds =
      requestSeconds ?? FIRST_TOKEN_SECONDS + completionTokens / Math.max(1, requests) / TOKENS_PER_SECOND;
    const minutes = Math.max(
      (requests * seconds) / concurrency / SECONDS_PER_MINUTE,
      requests / (limits.requestsPerMinute ?? Infinity) - 1,
      (promptTokens + completionTokens) / (limits.tokensPerMinute ?? Infinity) - 1,
    );
    const costUsd =
      price === undefined
        ? null
        : (promptTokens * price.promptUsd + completionTokens * price.completionUsd) / TOKENS_PER_PRICE;
    const over: readonly (readonly [TeacherEstimate["ceiling"], number, number | undefined])[] = [
      ["requests", requests, limits.maxRequests],
      ["tokens", promptTokens + completionTokens, limits.maxTokens],
      ["money", costUsd ?? 0, limits.maxCostUsd],
      ["minutes", minutes, limits.maxMinutes],
    ];
    const ceiling = over.find(([, used, most]) => most !== undefined && used > most)?.[0];
    return {
      requests,
      promptTokens,
      completionTokens,
      costUsd,
      minutes,
      requestSeconds: seconds,
      ...(ceiling === undefined ? {} : { ceiling }),
    };
  };
  // Pairs that are all accepted reach the ceiling of pairs soonest; rejected ones are asked for anew, in the same round or a later one.
  const accepted = demand(Math.min(asking * perRound, examples), Math.min(asking, Math.ceil(examples / perRound)));
  if (asking === 0 || (config.refills === 0 && examples >= asking * perRound)) return accepted;
  const items = asking * Math.min(perRound, examples) * (1 + config.refills);
  const { requestSeconds: _, ...atMost } = demand(items, asking);
  return { ...accepted, atMost };
}

/** Of two lanes that run beside each other. */
export function bothLanes(a: TeacherEstimate, b: TeacherEstimate): TeacherEstimate {
  const atMost = a.atMost === undefined && b.atMost === undefined ? undefined : sum(a.atMost ?? a, b.atMost ?? b);
  return {
    ...sum(a, b),
    requestSeconds: Math.max(a.requestSeconds, b.requestSeconds),
    ...(atMost === undefined ? {} : { atMost }),
  };
}

function sum(a: TeacherDemand, b: TeacherDemand): TeacherDemand {
  const ceiling = a.ceiling ?? b.ceiling;
  return {
    requests: a.requests + b.requests,
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    costUsd: a.costUsd === null || b.costUsd === null ? null : a.costUsd + b.costUsd,
    minutes: Math.max(a.minutes, b.minutes),
    ...(ceiling === undefined ? {} : { ceiling }),
  };
}
