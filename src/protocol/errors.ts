/**
 * @file Errors across the worker boundary: a `TutelageError` arrives with its
 * class, code, details, message and stack; anything else as an `Error` with name,
 * message and stack. Plain JSON on the wire.
 */
import { transferHandlers } from "comlink";
import { BadInputError, TutelageError, messageOf } from "../core/errors.ts";
import type { ErrorCode } from "../core/errors.ts";

export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** Of a `TutelageError`. */
  readonly code?: ErrorCode;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: WireError;
}

/** Causes followed; deeper ones are dropped (a cycle must end). */
const MAX_CAUSES = 4;

/** Plain form of anything thrown; see `fromWireError`. */
export function toWireError(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error)) return { name: "Error", message: messageOf(error) };
  return {
    name: error.name,
    message: error.message,
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error instanceof TutelageError ? { code: error.code, details: jsonOf(error.details) } : {}),
    ...(error.cause === undefined || depth >= MAX_CAUSES ? {} : { cause: toWireError(error.cause, depth + 1) }),
  };
}

/** The error that `toWireError` took apart, with the sender's stack. */
export function fromWireError(wire: WireError): Error {
  const cause = wire.cause === undefined ? undefined : fromWireError(wire.cause);
  const error = rebuild(wire, cause);
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}

function rebuild(wire: WireError, cause: Error | undefined): Error {
  const causeOption = cause === undefined ? {} : { cause };
  if (wire.code === undefined) {
    const error = new Error(wire.message, causeOption);
    error.name = wire.name;
    return error;
  }
  const options = { details: wire.details ?? {}, ...causeOption };
  return wire.code === "bad-input"
    ? new BadInputError(wire.message, options)
    : new TutelageError(wire.code, wire.message, options);
}

/** Details are promised to be JSON; one that is not must not turn an error into another. */
function jsonOf(details: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(JSON.stringify(details)) as Record<string, unknown>;
  } catch {
    return { unserializable: Object.keys(details).join(", ") };
  }
}

interface Thrown {
  readonly value: unknown;
}

/** Makes comlink carry errors in this form. Call once on each side of the boundary; idempotent. */
export function installErrorTransfer(): void {
  const existing = transferHandlers.get("throw");
  if (existing === undefined) throw new TutelageError("internal", "internal error: comlink has no 'throw' handler");
  transferHandlers.set("throw", {
    canHandle: (value): value is Thrown => existing.canHandle(value),
    serialize: (thrown: Thrown): [WireError, Transferable[]] => [toWireError(thrown.value), []],
    deserialize: (wire: WireError): never => {
      throw fromWireError(wire);
    },
  });
}
