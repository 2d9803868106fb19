/** @file The settings of a chat teacher in an experiment: checks and defaults. A key is none of them, and refused as an unknown setting. */
import * as v from "valibot";
import { LOCAL_DEVICES, LOCAL_DTYPES } from "../teacher/config.ts";
import type { TemplateName } from "../teacher/prompts/types.ts";
import { choice, flag, group, real, text, whole } from "./schemaParts.ts";

const PROMPT = "a text of 1 to 20000 characters";
const prompt = v.pipe(v.string(PROMPT), v.minLength(1, PROMPT), v.maxLength(20_000, PROMPT));
const usd = real(0, 1e6);

/** US dollars per million tokens. */
export const price = group({ promptUsd: usd, completionUsd: usd });

/** `teacher.chat`. Only the model must be given. */
export const chatSettings = group({
  url: v.exactOptional(text),
  model: text,
  dtype: v.exactOptional(choice(LOCAL_DTYPES)),
  device: v.exactOptional(choice(LOCAL_DEVICES)),
  calls: v.optional(choice(["two", "one"]), "two"),
  structured: v.optional(choice(["schema", "json", "prompt"]), "schema"),
  stream: v.optional(flag, false),
  temperature: v.exactOptional(real(0, 2)),
  maxOutputTokens: v.optional(whole(1, 100_000), 1024),
  timeoutSeconds: v.optional(real(0, 3600, { above: true }), 60),
  retries: v.optional(whole(0, 20), 5),
  concurrency: v.optional(whole(1, 64), 4),
  limits: v.optional(
    group({
      maxRequests: v.exactOptional(whole(0, 1_000_000_000)),
      maxTokens: v.exactOptional(whole(0, 1_000_000_000_000)),
      maxCostUsd: v.exactOptional(usd),
      maxMinutes: v.exactOptional(real(0, 1e6)),
      requestsPerMinute: v.exactOptional(whole(1, 1_000_000)),
      tokensPerMinute: v.exactOptional(whole(1, 1_000_000_000)),
    }),
    {},
  ),
  price: v.exactOptional(price),
  prompts: v.exactOptional(
    group({
      system: v.exactOptional(prompt),
      propose: v.exactOptional(prompt),
      answer: v.exactOptional(prompt),
      pair: v.exactOptional(prompt),
      judge: v.exactOptional(prompt),
    } satisfies Record<TemplateName, unknown>),
  ),
});
