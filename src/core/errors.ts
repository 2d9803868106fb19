/**
 * @file The error classes of Tutelage. Every error that a caller can act on is a
 * `TutelageError` with a stable `code`; its message reads
 * `where: expected X, got Y` followed by what to do. Not here: how errors cross a
 * worker boundary (`protocol/errors.ts`).
 */

/** Stable identifiers a caller may switch on. */
export type ErrorCode =
  | "bad-input"
  | "unsupported"
  | "non-finite"
  | "device-lost"
  | "device-refused"
  | "out-of-memory"
  | "aborted"
  | "disposed"
  | "quota"
  | "network"
  | "worker-crashed"
  | "teacher"
  | "internal";

/** Base of all errors thrown on purpose; `details` is plain JSON. */
export class TutelageError extends Error {
  override readonly name: string = "TutelageError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** The caller gave something unusable (file, option, shape): exit status 2 on the command line. */
export class BadInputError extends TutelageError {
  override readonly name = "BadInputError";
  constructor(
    message: string,
    options: { readonly details?: Readonly<Record<string, unknown>>; readonly cause?: unknown } = {},
  ) {
    super("bad-input", message, options);
  }
}

/** Whether `error` says that memory ran out. */
export function isOutOfMemory(error: unknown): error is TutelageError {
  return error instanceof TutelageError && error.code === "out-of-memory";
}

/** Throws a `BadInputError` of the form `where: expected X, got Y. hint`. */
export function badInput(where: string, expected: string, got: string, hint = ""): never {
  throw new BadInputError(`${where}: expected ${expected}, got ${got}${hint ? `. ${hint}` : ""}`);
}

/** Throws an `internal` error unless `condition` holds: a broken invariant of ours, not bad input. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new TutelageError("internal", `internal error: ${message}`);
}

/** Throws `aborted` when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined, where: string): void {
  if (signal?.aborted) throw new TutelageError("aborted", `${where}: stopped by the caller`, { cause: signal.reason });
}

/** Text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
