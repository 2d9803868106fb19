/** @file Chat models as teachers: their settings (plain JSON, stored in manifests, never a key), and one completion. */
import type { FinishReason } from "../types.ts";

/** Protocols that chat teachers speak. `openai` is every server with an OpenAI-compatible API. */
export const CHAT_PROVIDERS = ["openai", "anthropic", "google"] as const;
export type ChatProvider = (typeof CHAT_PROVIDERS)[number];

/** Ceilings are never exceeded, requests in flight included; rates are waited for. Absent: no limit. */
export interface ChatLimits {
  /** Requests sent, retries included. */
  readonly maxRequests?: number;
  /** Prompt and completion tokens. */
  readonly maxTokens?: number;
  /** Needs `price`. */
  readonly maxCostUsd?: number;
  /** From the first request of a session. */
  readonly maxMinutes?: number;
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
}

/** US dollars per million tokens. */
export interface ChatPrice {
  readonly promptUsd: number;
  readonly completionUsd: number;
}

/** Templates by name in place of the built-in ones. */
export type PromptEdits = Readonly<Partial<Record<"system" | "propose" | "answer" | "pair" | "judge", string>>>;

export interface ChatSettings {
  /** Base address; the provider's own when absent. */
  readonly url?: string;
  readonly model: string;
  /** Question and answer in two calls, or in one. */
  readonly calls: "two" | "one";
  /** How JSON is asked for: by schema, by JSON mode, or in the prompt alone. */
  readonly structured: "schema" | "json" | "prompt";
  /** Read replies as they are written: endless ones end early. */
  readonly stream: boolean;
  /** The model's own when absent. */
  readonly temperature?: number;
  readonly maxOutputTokens: number;
  /** For one request, from sending to its last byte. */
  readonly timeoutSeconds: number;
  /** Tries after the first, of requests that failed in passing. */
  readonly retries: number;
  /** Requests in flight at once. */
  readonly concurrency: number;
  readonly limits: ChatLimits;
  readonly price?: ChatPrice;
  readonly prompts?: PromptEdits;
}

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** One completion to be made. Everything that decides the reply, so that a reply can be found again by it. */
export interface ChatRequest {
  readonly messages: readonly ChatMessage[];
  readonly maxOutputTokens: number;
  readonly temperature?: number;
  /** For providers that sample by seed, and what tells equal prompts apart. */
  readonly seed: number;
  readonly format: "schema" | "json" | "prompt";
  /** Of the JSON object asked for. */
  readonly schema: Readonly<Record<string, unknown>>;
}

/** Tokens as the provider counted them; undefined where it did not. */
export interface ChatTokens {
  readonly promptTokens: number | undefined;
  readonly completionTokens: number | undefined;
}

export interface ChatReply extends ChatTokens {
  readonly text: string;
  readonly finishReason: FinishReason;
}

/** One model behind one address. */
export interface ChatModel {
  readonly provider: ChatProvider;
  /** Where it is asked: part of what identifies a reply. */
  readonly url: string;
  readonly model: string;
  /** @throws TeacherError, in whose message no key is; aborts with the signal's reason. */
  complete(request: ChatRequest, signal: AbortSignal): Promise<ChatReply>;
}

/** A reply that is kept, with what it used when it was asked for. */
export interface CachedReply {
  readonly text: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** Replies by the hash of everything that decides them. Values are plain JSON. */
export interface ReplyCache {
  get(key: string): Promise<CachedReply | undefined>;
  /** Resolves when the reply is kept. */
  put(key: string, reply: CachedReply): Promise<void>;
}
