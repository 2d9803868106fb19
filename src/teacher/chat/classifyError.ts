/** @file From whatever a provider throws to a `TeacherError` that says in plain words what is wrong. */
import { APICallError, EmptyResponseBodyError, InvalidResponseDataError, JSONParseError } from "@ai-sdk/provider";
import { NoContentGeneratedError, TypeValidationError } from "@ai-sdk/provider";
import { messageOf } from "../../core/errors.ts";
import { TeacherError } from "../teacherError.ts";
import type { TeacherErrorKind } from "../teacherError.ts";

/** Of a server's own words. */
const MAX_QUOTE = 300;
const MAX_CAUSES = 8;
const UNCONNECTED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

/** The `TeacherError` for `error`, thrown while asking `model` at `url`; `redact` takes the key out. */
export function classifyError(
  error: unknown,
  { url, model, redact }: { readonly url: string; readonly model: string; readonly redact: (text: string) => string },
): TeacherError {
  const chain = causesOf(error);
  const ours = chain.find((cause) => cause instanceof TeacherError);
  if (ours !== undefined) return new TeacherError(ours.kind, redact(ours.message), { retryAfterMs: ours.retryAfterMs });
  const call = chain.find((cause) => APICallError.isInstance(cause));
  const status = call?.statusCode;
  // A body that ended early or is no JSON comes with the status of its headers.
  const broken = chain.some(
    (cause) =>
      JSONParseError.isInstance(cause) ||
      TypeValidationError.isInstance(cause) ||
      EmptyResponseBodyError.isInstance(cause) ||
      InvalidResponseDataError.isInstance(cause) ||
      NoContentGeneratedError.isInstance(cause),
  );
  if (status === undefined || status < 300) {
    const reset = chain.some((cause) => cause instanceof TypeError || hasErrno(cause));
    if (broken && !reset) return new TeacherError("malformed", "the reply is not what the API promises (broken JSON)");
    const said = quote(messageOf(chain.findLast((cause) => cause instanceof Error) ?? error), redact);
    if (status !== undefined) return new TeacherError("malformed", `the reply broke off: ${said}`);
    return new TeacherError("network", `no connection to ${originOf(url)} (${said}). ${reachHint(url)}`, {
      unsent: chain.some(wasNeverConnected),
    });
  }
  const said = quote(call?.message ?? messageOf(error), redact);
  const body = `${said} ${call?.responseBody?.slice(0, 4000) ?? ""}`;
  const kind = kindOf(status, body);
  return new TeacherError(kind, `${explain(kind, status, url, model)}: ${said}`, {
    retryAfterMs: retryAfterOf(call?.responseHeaders ?? {}),
  });
}

function kindOf(status: number, body: string): TeacherErrorKind {
  if (status === 429) return /insufficient_quota|billing/i.test(body) ? "unavailable" : "rate-limit";
  if (status === 402) return "unavailable";
  if (status === 401 || status === 403 || (status === 400 && /api[ _-]?key/i.test(body))) return "key";
  if (status === 404 || (status === 400 && /model.{0,60}(not found|not exist)/i.test(body))) return "model";
  if (status === 408 || status === 409 || status === 425 || status >= 500) return "server";
  return "request";
}

function explain(kind: TeacherErrorKind, status: number, url: string, model: string): string {
  switch (kind) {
    case "key":
      return `status ${status}, the key was refused`;
    case "model":
      return `status ${status}, there is no model "${model}" at ${originOf(url)}, or the address is wrong${pathHint(url)}`;
    case "unavailable":
      return `status ${status}, the account has no credit left`;
    case "rate-limit":
      return `status ${status}, too many requests`;
    case "request":
      return `status ${status}, the request was refused (a model without structured output needs another form of replies: --teacher-structured json or prompt)`;
    default:
      return `status ${status}`;
  }
}

/** Milliseconds that `retry-after-ms` or `Retry-After` (seconds, or a date) ask to wait. */
export function retryAfterOf(headers: Readonly<Record<string, string>>, nowMs = Date.now()): number | undefined {
  const milliseconds = Number(headers["retry-after-ms"] ?? Number.NaN);
  if (milliseconds >= 0) return milliseconds;
  const text = headers["retry-after"];
  if (text === undefined) return undefined;
  const seconds = Number(text);
  const waitMs = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(waitMs) ? Math.max(0, waitMs) : undefined;
}

function causesOf(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let at = error; at !== undefined && at !== null && chain.length < MAX_CAUSES;) {
    chain.push(at);
    at = typeof at === "object" && "cause" in at ? at.cause : undefined;
  }
  return chain;
}

/** A connection's own error, such as ECONNRESET. */
function hasErrno(cause: unknown): cause is { readonly code: string } {
  return typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string";
}

/** What to look at where nothing answered; a browser tells no more of it. */
function reachHint(url: string): string {
  // Of a worker from a blob too: that of the page it was made by.
  const { origin } = (globalThis as { readonly location?: { readonly origin: string } }).location ?? {};
  if (origin === undefined) return "Is it running, and is the address right?";
  const { protocol, hostname } = new URL(url);
  if (origin.startsWith("https:") && protocol === "http:" && !/^(localhost|127\.0\.0\.1|\[::1\])$/.test(hostname))
    return "A page served over https may not ask an http address of another machine: put https in front of it.";
  return `Is it running, and does it allow this page's origin, ${origin} (CORS)?`;
}

function pathHint(url: string): string {
  return URL.canParse(url) && new URL(url).pathname === "/" ? " (most end in /v1)" : "";
}

/** Whether the connection was not made: told by Node, never by a browser. */
function wasNeverConnected(cause: unknown): boolean {
  return hasErrno(cause) && UNCONNECTED.has(cause.code);
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "its address";
}

function quote(text: string, redact: (text: string) => string): string {
  const line = redact(text).replace(/\s+/g, " ").trim();
  return line.length > MAX_QUOTE ? `${line.slice(0, MAX_QUOTE)}…` : line;
}
