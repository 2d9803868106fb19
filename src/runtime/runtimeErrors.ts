/** @file Turns what ONNX Runtime and WebGPU throw into `TutelageError`s with a code. Not here: our own checks. */
import { BadInputError, TutelageError, messageOf } from "../core/errors.ts";

/** The overflow, and the shape, are of sizes that 32-bit addresses cannot count. */
const OUT_OF_MEMORY =
  /out[ _-]of[ _-](?:\w+[ _])?memory|bad_alloc|array buffer allocation failed|failed to allocate|cannot allocate memory|cannot enlarge memory|could not allocate|allocation failed|invalid typed array length|safeintonoverflow|tensor shape is too large/i;
/** Where in ONNX Runtime's own sources something was thrown: of no use to people. */
const SOURCE_LINE = /\/\S+\.(?:cc|h):\d+ .*\) (?=\S)/;
/** The WebAssembly instance is in an unknown state after one of these. */
const CRASHED = /memory access out of bounds|unreachable|table index is out of bounds|null function|aborted\(/i;
const NOT_SUPPORTED =
  /NOT_IMPLEMENTED|ERROR_CODE: 9|could not find an implementation|fallback to CPU EP has been explicitly disabled|not a registered function|is not a registered/i;

/** `out-of-memory` with what was being done and what helps; `details.reason` is what was thrown. */
export function outOfMemory(where: string, cause: unknown): TutelageError {
  const reason = messageOf(cause).replace(SOURCE_LINE, "").trim();
  return new TutelageError(
    "out-of-memory",
    `${where}: not enough memory (${reason}). Use a smaller batch with gradient accumulation, gradient checkpointing, shorter rows, LoRA instead of full finetuning, or a smaller student`,
    { cause, details: { reason } },
  );
}

/** `disposed`: something was used after it had been released. */
export function usedAfterDispose(what: string): TutelageError {
  return new TutelageError("disposed", `${what}: used after it was disposed`);
}

/** `device-lost` with the reason that the device gave. */
export function deviceLost(where: string, reason: unknown): TutelageError {
  return new TutelageError(
    "device-lost",
    `${where}: the device was lost (${messageOf(reason)}). Create a new engine and resume from the last checkpoint`,
    {
      cause: reason,
    },
  );
}

/** Whether a WebAssembly instance cannot be trusted any more after `error`. */
export function isCrash(error: unknown): boolean {
  return (error instanceof Error && error.name === "RuntimeError") || CRASHED.test(messageOf(error));
}

/** The typed form of whatever a run or a transfer threw; a `TutelageError` is passed on. */
export function runError(where: string, error: unknown): TutelageError {
  if (error instanceof TutelageError) return error;
  if (OUT_OF_MEMORY.test(messageOf(error))) return outOfMemory(where, error);
  return new TutelageError("internal", `${where}: ONNX Runtime failed: ${messageOf(error)}`, { cause: error });
}

/** The typed form of what loading a model threw: the model is at fault unless the message says otherwise. */
export function sessionError(where: string, error: unknown): TutelageError {
  if (error instanceof TutelageError) return error;
  const message = messageOf(error);
  if (OUT_OF_MEMORY.test(message)) return outOfMemory(where, error);
  if (NOT_SUPPORTED.test(message))
    return new TutelageError("unsupported", `${where}: this provider cannot run the graph: ${message}`, {
      cause: error,
    });
  return new BadInputError(`${where}: expected an ONNX model that ONNX Runtime accepts, got: ${message}`, {
    cause: error,
  });
}
