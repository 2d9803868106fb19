/** @file Settings of chat teachers: plain JSON, stored in manifests, never a key. */

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
