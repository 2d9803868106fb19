/**
 * @file One completion within limits: through the gate, with a timeout, tried again
 * with growing random pauses while failures pass. Every request sent is counted.
 */
import { TutelageError, messageOf, throwIfAborted } from "../../core/errors.ts";
import type { Rng } from "../../core/rng.ts";
import { TeacherError } from "../teacherError.ts";
import type { TeacherUsage } from "../types.ts";
import { costOf } from "./gate.ts";
import type { Gate, Health, Tokens } from "./gate.ts";
import type { ChatPrice } from "../config.ts";
import type { ChatModel, ChatReply, ChatRequest } from "./types.ts";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** A teacher that asks to wait longer than this has lost the item. */
const LONGEST_RETRY_AFTER_MS = 120_000;
/** Of the messages' envelope and chat template. */
const TEMPLATE_TOKENS = 64;
const MS_PER_SECOND = 1000;

export interface AskOptions {
  readonly model: ChatModel;
  readonly gate: Gate;
  readonly retries: number;
  readonly timeoutSeconds: number;
  readonly price?: ChatPrice | undefined;
  /** Shortens pauses in tests. */
  readonly firstPauseMs?: number | undefined;
  readonly now?: (() => number) | undefined;
}

/**
 * The reply to `request`, and what all tries used.
 * @throws TeacherError with that usage; `aborted`.
 */
export async function ask(
  request: ChatRequest,
  options: AskOptions,
  rng: Rng,
  signal: AbortSignal | undefined,
): Promise<{ readonly reply: ChatReply; readonly usage: TeacherUsage }> {
  const { model, gate, retries, timeoutSeconds, price, now = Date.now, firstPauseMs = FIRST_PAUSE_MS } = options;
  const most = mostTokens(request);
  const startedMs = now();
  let requests = 0;
  let tokens: Tokens = { promptTokens: 0, completionTokens: 0 };
  const usage = (): TeacherUsage => ({
    requests,
    ...tokens,
    costUsd: costOf(tokens, price),
    durationMs: now() - startedMs,
  });
  for (let attempt = 0; ; attempt++) {
    let error: TeacherError;
    try {
      const permit = await gate.enter(most, signal);
      requests++;
      let used: Tokens | undefined;
      let health: Health = "down";
      let reason: string | undefined;
      try {
        const limitMs = Math.min(timeoutSeconds * MS_PER_SECOND, permit.remainingMs);
        const reply = await withTimeout(limitMs, signal, (inner) => model.complete(request, inner));
        used = usedBy(reply, most);
        health = "up";
        tokens = plus(tokens, used);
        return { reply, usage: usage() };
      } catch (thrown) {
        // Nothing is charged for a request that was refused; one that broke off may have been answered.
        const { kind, unsent } = thrown instanceof TeacherError ? thrown : { kind: "timeout", unsent: false };
        const refused =
          unsent || (kind !== "timeout" && kind !== "network" && kind !== "malformed" && kind !== "reply");
        used = refused ? { promptTokens: 0, completionTokens: 0 } : most;
        tokens = plus(tokens, used);
        if (kind === "rate-limit") health = "busy";
        else if (refused && !unsent && kind !== "server") health = "up";
        // Before the permit is given back: nothing may slip in while the teacher asks to wait.
        if (thrown instanceof TeacherError && thrown.retryAfterMs !== undefined)
          gate.pause(Math.min(thrown.retryAfterMs, LONGEST_RETRY_AFTER_MS));
        reason = messageOf(thrown);
        throw thrown;
      } finally {
        permit.settle(used, health, reason);
      }
    } catch (thrown) {
      throwIfAborted(signal, "teacher");
      error = thrown instanceof TeacherError ? thrown : internal(thrown);
    }
    const { retryAfterMs = 0 } = error;
    if (!error.passing || attempt >= retries || retryAfterMs > LONGEST_RETRY_AFTER_MS) throw error.with(usage());
    // The gate waits for Retry-After; without one, "full jitter": anything up to the doubled pause.
    if (error.retryAfterMs === undefined)
      await sleep(rng.uniform() * Math.min(LONGEST_PAUSE_MS, firstPauseMs * 2 ** attempt), signal);
  }
}

/** The most a request can use: a token is at least a byte of its text. */
/** The most that a request can use: a token is at least a byte of the prompt, and the reply is bounded. */
export function mostTokens(request: ChatRequest): Tokens {
  const text = request.messages.map(({ content }) => content).join("");
  const schema = request.format === "schema" ? JSON.stringify(request.schema) : "";
  return { promptTokens: bytesOf(text + schema) + TEMPLATE_TOKENS, completionTokens: request.maxOutputTokens };
}

/** As counted by the provider; one that does not count is charged a token a byte. */
function usedBy(reply: ChatReply, most: Tokens): Tokens {
  return {
    promptTokens: reply.promptTokens ?? most.promptTokens,
    completionTokens: reply.completionTokens ?? Math.min(bytesOf(reply.text), most.completionTokens),
  };
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

function plus(a: Tokens, b: Tokens): Tokens {
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
  };
}

function internal(thrown: unknown): TeacherError {
  if (thrown instanceof TutelageError) throw thrown;
  return new TeacherError("request", messageOf(thrown));
}

/** Runs `work` with a signal that fires with the caller's, or after `limitMs`. Leaves no timer and no listener. */
async function withTimeout<T>(
  limitMs: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(signal?.reason);
  const timer = Number.isFinite(limitMs)
    ? setTimeout(
        () =>
          controller.abort(
            new TeacherError("timeout", `no whole reply within ${Math.ceil(limitMs / MS_PER_SECOND)} s`),
          ),
        Math.max(0, limitMs),
      )
    : undefined;
  signal?.addEventListener("abort", stop);
  try {
    return await work(controller.signal);
  } catch (error) {
    // Whatever an aborted download throws, the reason is ours.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/** Resolves after `durationMs`, or when the signal fires. */
async function sleep(durationMs: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, durationMs);
    signal?.addEventListener("abort", wake);
  });
}
