/** @file The body of an OpenAI chat request, checked; and the bodies that answer it. */
import * as v from "valibot";
import type { ChatMessage } from "../chat/types.ts";

const BYTES_PER_TOKEN = 4;

const part = v.looseObject({ type: v.string(), text: v.optional(v.string()) });
const body = v.looseObject({
  model: v.string(),
  messages: v.pipe(
    v.array(
      v.looseObject({
        role: v.picklist(["system", "developer", "user", "assistant", "tool"]),
        content: v.optional(v.nullable(v.union([v.string(), v.array(part)]))),
      }),
    ),
    v.minLength(1),
  ),
  stream: v.optional(v.nullable(v.boolean())),
  stream_options: v.optional(v.nullable(v.looseObject({ include_usage: v.optional(v.boolean()) }))),
  max_tokens: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1)))),
  max_completion_tokens: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1)))),
  seed: v.optional(v.nullable(v.number())),
  response_format: v.optional(v.nullable(v.looseObject({ type: v.string() }))),
});

/** A chat request as the server needs it. */
export interface ChatBody {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly maxTokens: number;
  readonly seed: number | undefined;
  readonly json: boolean;
}

/** The request that `value` is, or what is wrong with it. */
export function parseChatBody(value: unknown): ChatBody | string {
  const parsed = v.safeParse(body, value);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    return `${v.getDotPath(issue) ?? "body"}: ${issue.message}`;
  }
  const { model, messages, stream, stream_options: options, seed, response_format: format, ...rest } = parsed.output;
  return {
    model,
    messages: messages.map(({ role, content }) => ({
      role: role === "developer" ? "system" : role === "tool" ? "user" : role,
      content: typeof content === "string" ? content : (content ?? []).map(({ text = "" }) => text).join(""),
    })),
    stream: stream === true,
    includeUsage: options?.include_usage === true,
    maxTokens: rest.max_completion_tokens ?? rest.max_tokens ?? Infinity,
    seed: seed ?? undefined,
    json: format?.type === "json_object" || format?.type === "json_schema",
  };
}

/** A rough count, four bytes a token: what this server reports and cuts by. */
export function countTokens(text: string): number {
  return Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);
}

/** A finished reply. */
export interface Completion {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly text: string;
  readonly finishReason: "stop" | "length";
  readonly usage: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly total_tokens: number;
  };
}

/** The reply to `request` with `text`, cut where the request's limit is. */
export function completionOf(request: ChatBody, id: string, text: string): Completion {
  const cut = countTokens(text) > request.maxTokens;
  const kept = cut ? text.slice(0, request.maxTokens) : text;
  const promptTokens = request.messages.reduce((sum, { content }) => sum + countTokens(content), 0);
  const completionTokens = Math.min(countTokens(kept), request.maxTokens);
  return {
    id,
    created: Math.floor(Date.now() / 1000),
    model: request.model,
    text: kept,
    finishReason: cut ? "length" : "stop",
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
    },
  };
}

/** `chat.completion`. */
export function completionBody({ id, created, model, text, finishReason, usage }: Completion): object {
  return {
    id,
    object: "chat.completion",
    created,
    model,
    choices: [{ index: 0, message: { role: "assistant", content: text }, logprobs: null, finish_reason: finishReason }],
    usage,
  };
}

/** Characters of one piece of a streamed reply. */
const PIECE_CHARS = 24;

/** The server-sent events of a streamed reply, its end mark included. */
export function completionEvents(completion: Completion, includeUsage: boolean): string[] {
  const { id, created, model, text, finishReason, usage } = completion;
  const chunk = (choices: readonly object[], extra: object = {}): object => ({
    id,
    object: "chat.completion.chunk",
    created,
    model,
    choices,
    ...extra,
  });
  const choice = (delta: object, reason: string | null = null): object => ({ index: 0, delta, finish_reason: reason });
  // By code points: a piece must not end inside one.
  const letters = Array.from(text);
  const pieces = Array.from({ length: Math.ceil(letters.length / PIECE_CHARS) }, (_, i) =>
    letters.slice(i * PIECE_CHARS, (i + 1) * PIECE_CHARS).join(""),
  );
  const chunks = [
    chunk([choice({ role: "assistant", content: "" })]),
    ...pieces.map((content) => chunk([choice({ content })])),
    chunk([choice({}, finishReason)]),
    ...(includeUsage ? [chunk([], { usage })] : []),
  ];
  return [...chunks.map((value) => `data: ${JSON.stringify(value)}\n\n`), "data: [DONE]\n\n"];
}

/** An error as OpenAI's API words it. */
export function errorBody(message: string, type: string, code: string | null = null): object {
  return { error: { message, type, param: null, code } };
}
