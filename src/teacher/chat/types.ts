/** @file One completion of a chat model: what is asked, what comes back. */
import type { ChatProvider } from "../config.ts";
import type { FinishReason } from "../types.ts";

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
  /** What else tells two models of one name apart, such as the precision of their weights. */
  readonly variant?: string;
  /** @throws TeacherError, in whose message no key is; aborts with the signal's reason. */
  complete(request: ChatRequest, signal: AbortSignal): Promise<ChatReply>;
}
