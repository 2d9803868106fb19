/** @file Settings of chat teachers: plain JSON, stored in manifests, never a key. */

/** Protocols that chat teachers speak. `openai` is every server with an OpenAI-compatible API. */
export const HTTP_PROVIDERS = ["openai", "anthropic", "google"] as const;
export type HttpProvider = (typeof HTTP_PROVIDERS)[number];

/** Who runs a chat teacher's model: a service, or this tab or process itself, through transformers.js. */
export const CHAT_PROVIDERS = [...HTTP_PROVIDERS, "transformers"] as const;
export type ChatProvider = (typeof CHAT_PROVIDERS)[number];

/** Where a local model runs; `auto`: WebGPU if it can, else WASM in a tab, the CPU in Node. */
export const LOCAL_DEVICES = ["auto", "webgpu", "wasm", "cpu"] as const;
export type LocalDevice = (typeof LOCAL_DEVICES)[number];

/** Weights of a local model, by the names of its ONNX files. */
export const LOCAL_DTYPES = ["q4", "q4f16", "fp16", "q8", "int8", "uint8", "bnb4", "fp32"] as const;
export type LocalDtype = (typeof LOCAL_DTYPES)[number];

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
  /** Base address; the provider's own when absent (of a local model: the hub's). */
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
  /** Of a local model alone; `q4` by default. */
  readonly dtype?: LocalDtype;
  /** Of a local model alone; `auto` by default. */
  readonly device?: LocalDevice;
  readonly prompts?: PromptEdits;
}
