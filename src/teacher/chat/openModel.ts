/**
 * @file Opens a chat model over HTTP. Protocols are the AI SDK's provider packages, each
 * loaded when it is first chosen; retries, limits and parsing are ours (`ask.ts`, `gate.ts`).
 */
import type { LanguageModelV3, LanguageModelV3CallOptions, LanguageModelV3Usage } from "@ai-sdk/provider";
import { badInput } from "../../core/errors.ts";
import { TeacherError } from "../teacherError.ts";
import type { FinishReason } from "../types.ts";
import { boundedFetch } from "./boundedFetch.ts";
import { classifyError } from "./classifyError.ts";
import { redactor } from "./redact.ts";
import type { ChatSettings, HttpProvider } from "../config.ts";
import type { ChatModel, ChatReply, ChatRequest } from "./types.ts";

/** Where each provider is asked when nothing else is said. */
export const PROVIDER_URLS: Readonly<Record<HttpProvider, string>> = {
  openai: "https://api.openai.com/v1",
  anthropic: "https://api.anthropic.com/v1",
  google: "https://generativelanguage.googleapis.com/v1beta",
};

/** What the clients put behind the address themselves. */
const CALL_PATHS = /\/(?:chat\/completions|completions|responses|messages|models(?:\/[^/]*)?)$/;

/** Longest HTTP body: some thousand words in any script, and the envelope. */
const MAX_BODY_BYTES = 512 * 1024;

export interface OpenModelOptions {
  readonly key?: string | undefined;
  /** `globalThis.fetch` by default. */
  readonly fetch?: typeof fetch | undefined;
}

/**
 * The address that is asked, without a slash at its end.
 * @throws BadInputError when it is no http(s) address, or holds a user, password, query or fragment: places where keys would be kept and shown.
 */
export function chatUrl(provider: HttpProvider, url: string | undefined): string {
  const text = url ?? PROVIDER_URLS[provider];
  if (!URL.canParse(text))
    badInput("teacher url", "an address such as http://localhost:11434/v1", "a text that is none");
  const parsed = new URL(text);
  if (parsed.protocol !== "https:" && parsed.protocol !== "http:")
    badInput("teacher url", "an http or https address", parsed.protocol);
  if (parsed.username !== "" || parsed.password !== "" || parsed.search !== "" || parsed.hash !== "")
    badInput(
      "teacher url",
      "an address without user, password, query and fragment",
      `one with them at ${parsed.host}`,
      "Keys are given apart from the address",
    );
  const path = parsed.pathname.replace(/\/+$/, "");
  const call = CALL_PATHS.exec(path)?.[0];
  if (call !== undefined)
    badInput("teacher url", "the address before the call's own path", `one that ends in ${call}`, `Leave out ${call}`);
  return text.replace(/\/+$/, "");
}

/** The model that `settings` name; connects at the first request. @throws BadInputError for a bad address. */
export function openModel(
  provider: HttpProvider,
  settings: Pick<ChatSettings, "url" | "model" | "stream">,
  { key, fetch }: OpenModelOptions = {},
): ChatModel {
  const url = chatUrl(provider, settings.url);
  const { model, stream } = settings;
  const redact = redactor(key);
  let loaded: Promise<LanguageModelV3> | undefined;
  return {
    provider,
    url,
    model,
    async complete(request, signal) {
      loaded ??= loadModel(provider, url, model, key, boundedFetch(MAX_BODY_BYTES, fetch));
      const language = await loaded;
      const options = optionsOf(request, signal);
      try {
        const reply = await (stream ? streamed(language, options) : whole(language, options));
        return { ...reply, text: redact(reply.text) };
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        throw classifyError(error, { url, model, redact });
      }
    },
  };
}

async function loadModel(
  provider: HttpProvider,
  baseURL: string,
  model: string,
  key: string | undefined,
  fetch: typeof globalThis.fetch,
): Promise<LanguageModelV3> {
  // The packages would look for a missing key in the environment: which key goes where is decided by the caller alone.
  const apiKey = key ?? "none";
  switch (provider) {
    case "openai": {
      const { createOpenAICompatible } = await import("@ai-sdk/openai-compatible");
      const official = baseURL === PROVIDER_URLS.openai;
      return createOpenAICompatible({
        name: "teacher",
        baseURL,
        fetch,
        includeUsage: true,
        supportsStructuredOutputs: true,
        ...(key === undefined ? {} : { apiKey }),
        // OpenAI's newer models refuse the old name of the limit, other servers know only that.
        ...(official
          ? {
              transformRequestBody: ({ max_tokens: limit, ...body }: Record<string, unknown>) => ({
                ...body,
                max_completion_tokens: limit,
              }),
            }
          : {}),
      }).chatModel(model);
    }
    case "anthropic": {
      const { createAnthropic } = await import("@ai-sdk/anthropic");
      const headers = { "anthropic-dangerous-direct-browser-access": "true" };
      return createAnthropic({ baseURL, apiKey, fetch, headers })(model);
    }
    case "google": {
      const { createGoogleGenerativeAI } = await import("@ai-sdk/google");
      return createGoogleGenerativeAI({ baseURL, apiKey, fetch })(model);
    }
  }
}

function optionsOf(request: ChatRequest, abortSignal: AbortSignal): LanguageModelV3CallOptions {
  const { messages, maxOutputTokens, temperature, seed, format, schema } = request;
  return {
    prompt: messages.map(({ role, content }) =>
      role === "system" ? { role, content } : { role, content: [{ type: "text" as const, text: content }] },
    ),
    maxOutputTokens,
    seed,
    abortSignal,
    ...(temperature === undefined ? {} : { temperature }),
    ...(format === "prompt"
      ? {}
      : { responseFormat: { type: "json" as const, ...(format === "schema" ? { name: "reply", schema } : {}) } }),
  };
}

async function whole(model: LanguageModelV3, options: LanguageModelV3CallOptions): Promise<ChatReply> {
  const { content, finishReason, usage } = await model.doGenerate(options);
  const text = content.map((part) => (part.type === "text" ? part.text : "")).join("");
  return { text, finishReason: finishOf(finishReason.unified), ...tokensOf(usage) };
}

async function streamed(model: LanguageModelV3, options: LanguageModelV3CallOptions): Promise<ChatReply> {
  const { stream } = await model.doStream(options);
  let text = "";
  // Leaving the loop cancels the stream, and with it the download.
  for await (const part of stream) {
    if (part.type === "text-delta") text += part.delta;
    else if (part.type === "error") throw part.error;
    else if (part.type === "finish") {
      const reason = part.finishReason.unified;
      if (reason === "other") break;
      return { text, finishReason: finishOf(reason), ...tokensOf(part.usage) };
    }
  }
  throw new TeacherError("malformed", "the reply broke off before its end");
}

function finishOf(reason: "stop" | "length" | "content-filter" | "tool-calls" | "error" | "other"): FinishReason {
  if (reason === "length") return "length";
  // Some servers name no reason for a reply that is whole.
  if (reason === "stop" || reason === "other") return "stop";
  throw new TeacherError("reply", `the reply ended with "${reason}"`);
}

function tokensOf({
  inputTokens,
  outputTokens,
}: LanguageModelV3Usage): Pick<ChatReply, "promptTokens" | "completionTokens"> {
  return { promptTokens: countOf(inputTokens.total), completionTokens: countOf(outputTokens.total) };
}

/** The SDK says 0 for what a server left out; no prompt and no reply is that short. */
function countOf(value: number | undefined): number | undefined {
  return value !== undefined && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}
