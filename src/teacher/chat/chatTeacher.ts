/**
 * @file A chat model as a teacher: prompts in, checked fields out. One call of the
 * interface is one completion, or two when the reply has to be asked for again
 * because no JSON could be read from it; a judgement is one per order of the answers.
 */
import { badInput } from "../../core/errors.ts";
import type { Rng } from "../../core/rng.ts";
import type { Question, Task } from "../../tasks/types.ts";
import { fillTemplate, promptsFor } from "../prompts/registry.ts";
import type { TemplateName } from "../prompts/types.ts";
import { TeacherError } from "../teacherError.ts";
import type { FinishReason, Teacher, TeacherCall, TeacherReply, TeacherUsage, ReplyCache } from "../types.ts";
import { addUsage, NO_USAGE } from "../usage.ts";
import { localChatModel } from "../local/localChat.ts";
import type { HoldModel } from "../local/localChat.ts";
import { ask } from "./ask.ts";
import { Gate } from "./gate.ts";
import type { Spent } from "./gate.ts";
import { openModel } from "./openModel.ts";
import { parseReply, schemaOf } from "./parseReply.ts";
import type { FieldValues, ReplyFields } from "./parseReply.ts";
import { replyKey } from "./replyKey.ts";
import type { ChatProvider, ChatSettings, HttpProvider } from "../config.ts";
import type { ChatMessage, ChatRequest } from "./types.ts";

const QUESTION = { question: "text" } as const;
const ANSWER = { answer: "text" } as const;
const PAIR = { question: "text", answer: "text" } as const;
const SCORES = { first: "score", second: "score" } as const;

/** Providers take seeds of 31 bits. */
const MAX_SEED = 0x7fffffff;

export interface ChatTeacherOptions {
  readonly key?: string | undefined;
  readonly cache?: ReplyCache | undefined;
  /** Where local models run; without it there are none. */
  readonly holdModel?: HoldModel | undefined;
  readonly fetch?: typeof fetch | undefined;
  readonly now?: (() => number) | undefined;
  /** Pauses before tries again; shorter in tests. */
  readonly firstPauseMs?: number | undefined;
  readonly breakerPauseMs?: number | undefined;
}

/** A teacher whose use can be watched. */
export interface ChatTeacher extends Teacher {
  readonly spent: Spent;
}

/**
 * The teacher that asks `settings.model` over `provider`'s protocol.
 * @throws BadInputError for a bad address or prompt, and for a ceiling of money without a price.
 */
export function createChatTeacher(
  provider: ChatProvider,
  task: Task,
  settings: ChatSettings,
  options: ChatTeacherOptions = {},
): ChatTeacher {
  const { limits, price, retries, timeoutSeconds } = settings;
  const { cache, now = Date.now, firstPauseMs, breakerPauseMs } = options;
  if (limits.maxCostUsd !== undefined && price === undefined)
    badInput("teacher.chat.limits.maxCostUsd", "a price to count with", "none", "Give teacher.chat.price");
  const prompts = promptsFor(task.name, settings.prompts);
  const local = provider === "transformers" ? localChatModel(settings, holderOf(options)) : undefined;
  const model = local ?? openModel(provider as HttpProvider, settings, options);
  // A local model answers one request at a time: waiting for a turn is no part of a request's time.
  const concurrency = local === undefined ? settings.concurrency : 1;
  const gate = new Gate({ limits, price, concurrency, now, breakerPauseMs });
  const asking = { model, gate, retries, timeoutSeconds, price, firstPauseMs, now };

  /** From the cache, or asked for and then kept. */
  async function complete(
    request: ChatRequest,
    rng: Rng,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly text: string; readonly finishReason: FinishReason; readonly usage: TeacherUsage }> {
    const key = replyKey(model, request);
    const kept = await cache?.get(key);
    if (kept !== undefined) return { text: kept.text, finishReason: "stop", usage: { ...NO_USAGE, cached: 1 } };
    const { reply, usage } = await ask(request, asking, rng, signal);
    const { promptTokens, completionTokens } = usage;
    // A reply that was cut off is not worth keeping.
    if (reply.finishReason === "stop") await cache?.put(key, { text: reply.text, promptTokens, completionTokens });
    return { text: reply.text, finishReason: reply.finishReason, usage };
  }

  async function fields<F extends ReplyFields>(
    template: TemplateName,
    values: Readonly<Record<string, string>>,
    wanted: F,
    { rng, signal }: Pick<TeacherCall, "rng" | "signal">,
  ): Promise<TeacherReply<FieldValues<F>>> {
    const messages: ChatMessage[] = [
      { role: "system", content: prompts.templates.system },
      { role: "user", content: fillTemplate(prompts.templates[template], values) },
    ];
    let usage = NO_USAGE;
    for (let attempt = 0; ; attempt++) {
      const request: ChatRequest = {
        messages,
        maxOutputTokens: settings.maxOutputTokens,
        seed: rng.fork(`sample ${attempt}`).integer(0, MAX_SEED),
        format: settings.structured,
        schema: schemaOf(wanted),
        ...(settings.temperature === undefined ? {} : { temperature: settings.temperature }),
      };
      try {
        const reply = await complete(request, rng.fork(`pauses ${attempt}`), signal);
        usage = addUsage(usage, reply.usage);
        if (reply.finishReason === "length")
          throw new TeacherError(
            "reply",
            `the reply was cut off after ${settings.maxOutputTokens} tokens; allow longer ones (--teacher-max-output-tokens)`,
          );
        try {
          return { value: parseReply(reply.text, wanted), usage, finishReason: reply.finishReason };
        } catch (error) {
          if (attempt > 0 || !(error instanceof TeacherError)) throw error;
          messages.push(
            { role: "assistant", content: reply.text.slice(0, settings.maxOutputTokens) },
            {
              role: "user",
              content: `That cannot be used: ${error.message}. Reply again, with the JSON object alone.`,
            },
          );
        }
      } catch (error) {
        if (!(error instanceof TeacherError)) throw error;
        throw error.with(error.usage === undefined ? usage : addUsage(usage, error.usage));
      }
    }
  }

  const seedValues = (seed: Question, operation: keyof typeof prompts.operations) => ({
    operation: prompts.operations[operation],
    question: seed.question,
    answer: seed.answer,
  });

  return {
    name: `${provider} ${settings.model}`,
    get spent() {
      return gate.spent;
    },
    charge: (usage) => gate.charge(usage),
    ...(local === undefined
      ? {}
      : {
          prepare: (context) => local.prepare(context),
          description: () => local.description,
          close: () => local.close(),
        }),
    propose: (seed, operation, call) => fields("propose", seedValues(seed, operation), QUESTION, call),
    async answer(question, call) {
      const { example } = call;
      if (example === undefined) badInput(`teacher ${provider}`, "an example that shows the form of an answer", "none");
      const values = { question, exampleQuestion: example.question, exampleAnswer: example.answer };
      return fields("answer", values, ANSWER, call);
    },
    ...(settings.calls === "one"
      ? { pair: (seed, operation, call) => fields("pair", seedValues(seed, operation), PAIR, call) }
      : {}),
    async judge(question, [a, b], { rng, signal }) {
      const inOrder = (first: string, second: string, name: string) =>
        fields("judge", { question, first, second }, SCORES, {
          rng: rng.fork(name),
          ...(signal === undefined ? {} : { signal }),
        });
      const there = await inOrder(a, b, "in order");
      const back = await inOrder(b, a, "swapped");
      const scores = [
        (there.value.first + back.value.second) / 2,
        (there.value.second + back.value.first) / 2,
      ] as const;
      return { value: { scores }, usage: addUsage(there.usage, back.usage), finishReason: "stop" };
    },
  };
}

function holderOf({ holdModel }: ChatTeacherOptions): HoldModel {
  return holdModel ?? badInput("teacher transformers", "a place to run a model in", "none here");
}
