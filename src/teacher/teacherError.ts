/** @file What goes wrong with a teacher, by what a caller can do about it. Messages never hold a key. */
import { TutelageError } from "../core/errors.ts";
import type { TeacherUsage } from "./types.ts";

/**
 * Kinds of failure.
 * - `rate-limit`, `server`, `timeout`, `network`, `malformed`: may pass; the call is tried again.
 * - `reply`: the teacher answered, but not what was asked for (no JSON, cut off, too long, refused).
 * - `request`: the teacher refused this request.
 * - `budget`: a ceiling was reached; nothing was sent.
 * - `key`, `model`, `unavailable`: every further call would fail alike.
 */
export type TeacherErrorKind =
  | "rate-limit"
  | "server"
  | "timeout"
  | "network"
  | "malformed"
  | "reply"
  | "request"
  | "budget"
  | "key"
  | "model"
  | "unavailable";

const PASSING: ReadonlySet<TeacherErrorKind> = new Set(["rate-limit", "server", "timeout", "network", "malformed"]);
const FATAL: ReadonlySet<TeacherErrorKind> = new Set(["key", "model", "unavailable"]);

/** A failed teacher call. */
export class TeacherError extends TutelageError {
  override readonly name = "TeacherError";
  readonly kind: TeacherErrorKind;
  /** How long the teacher asked to wait, undefined when it did not say. */
  readonly retryAfterMs: number | undefined;
  /** Nothing can have arrived at the teacher: there was no connection. */
  readonly unsent: boolean;
  /** What the call used before it failed, undefined when that is not known here. */
  readonly usage: TeacherUsage | undefined;

  constructor(
    kind: TeacherErrorKind,
    message: string,
    options: {
      readonly retryAfterMs?: number | undefined;
      readonly unsent?: boolean;
      readonly usage?: TeacherUsage | undefined;
    } = {},
  ) {
    super("teacher", message, { details: { kind } });
    this.kind = kind;
    this.retryAfterMs = options.retryAfterMs;
    this.unsent = options.unsent ?? false;
    this.usage = options.usage;
  }

  /** Worth another try. */
  get passing(): boolean {
    return PASSING.has(this.kind);
  }

  /** Every other call would fail too: the loop stops and can be resumed, instead of losing every item. */
  get fatal(): boolean {
    return FATAL.has(this.kind);
  }

  /** The same failure with what the call used. */
  with(usage: TeacherUsage): TeacherError {
    return new TeacherError(this.kind, this.message, { retryAfterMs: this.retryAfterMs, unsent: this.unsent, usage });
  }
}
