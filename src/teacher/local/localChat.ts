/** @file A local model as a chat model: the same prompts, repair, limits and records as any other teacher. It has no structured output: the prompt asks for JSON. */
import type { ChatSettings } from "../config.ts";
import type { ChatModel } from "../chat/types.ts";
import type { ModelDescription, PrepareTeacherContext } from "../types.ts";
import type { HeldModel } from "./localShelf.ts";
import type { LocalSettings } from "./types.ts";

/** Weights of four bits: what most models on the hub have, and what fits a tab. */
export const DEFAULT_DTYPE = "q4";

/** What is said of the model's place where it is the hub's. */
const HUB = "huggingface.co";

/** Makes a held model of settings. */
export type HoldModel = (settings: LocalSettings) => HeldModel;

export interface LocalChatModel extends ChatModel {
  readonly description: ModelDescription | undefined;
  prepare(context: PrepareTeacherContext): Promise<ModelDescription>;
  close(): void;
}

/** The chat model that `settings` name, run by what `hold` gives. Loads nothing yet. */
export function localChatModel(
  settings: Pick<ChatSettings, "url" | "model" | "dtype" | "device">,
  hold: HoldModel,
): LocalChatModel {
  const { url, model, dtype = DEFAULT_DTYPE, device = "auto" } = settings;
  const held = hold({ model, dtype, device, ...(url === undefined ? {} : { host: url }) });
  let description: ModelDescription | undefined;
  return {
    provider: "transformers",
    url: url ?? HUB,
    model,
    variant: dtype,
    get description() {
      return description;
    },
    async prepare({ signal, onProgress }) {
      const startedMs = Date.now();
      description = await held.prepare((progress) => {
        const seconds = Math.max(1, Date.now() - startedMs) / 1000;
        onProgress?.({ id: model, bytesPerSecond: progress.loadedBytes / seconds, ...progress });
      }, signal);
      return description;
    },
    async complete({ messages, maxOutputTokens, temperature, seed }, signal) {
      const request = { messages, maxOutputTokens, seed, ...(temperature === undefined ? {} : { temperature }) };
      return held.generate(request, signal);
    },
    close: () => held.release(),
  };
}
