/** @file An error as the page shows it: what happened, and what to do. */
import { TutelageError, messageOf } from "../core/errors.ts";
import type { ErrorCode } from "../core/errors.ts";

export interface Problem {
  readonly message: string;
  readonly advice: string;
  /** restart: the worker is gone or its device is; less-memory: so is it where it ran out of memory, and it could go on with less. */
  readonly remedy: "restart" | "less-memory" | "dismiss";
}

const RESTART = "Press Restart: the run goes on from its last stored step.";

const ADVICE: Readonly<Record<ErrorCode, readonly [advice: string, remedy: Problem["remedy"]]>> = {
  "bad-input": ["Change what the message names, then try again.", "dismiss"],
  unsupported: ["Choose another engine under Set up: WASM works in every current browser.", "dismiss"],
  "device-refused": ["Choose Auto or WASM under Set up; the GPU of this browser did not pass its check.", "dismiss"],
  "device-lost": [
    `The GPU went away (driver reset, sleep, or memory). ${RESTART} If it happens again, choose WASM under Set up.`,
    "restart",
  ],
  "out-of-memory": [
    "Nothing that is stored is lost. Close other tabs, then press Restart, or resume in less memory where that is offered. If it still does not fit, start a run that needs less under Set up: an adapter (LoRA), shorter rows, or a smaller student; on a GPU also the engine WASM.",
    "less-memory",
  ],
  "non-finite": [
    "The training diverged. Start a new run with another seed; if it happens again, please report it.",
    "dismiss",
  ],
  aborted: ["The run was stopped. Press Resume to go on.", "dismiss"],
  disposed: [RESTART, "restart"],
  quota: [
    "The browser gives this page no more storage; what was stored is safe. Delete old runs under Runs or free some disk space, then press Restart.",
    "restart",
  ],
  network: ["What has arrived is kept: press Start to go on from there.", "dismiss"],
  "worker-crashed": [RESTART, "restart"],
  teacher: [`Check key and model under Set up with Test teacher. ${RESTART}`, "restart"],
  internal: [
    "This is a fault of Tutelage: please report the message. Restart continues from the last stored step.",
    "restart",
  ],
};

/** What to show for anything thrown. */
export function problemOf(error: unknown): Problem {
  if (!(error instanceof TutelageError)) return problemOfCode(undefined, messageOf(error));
  return problemOfCode(error.code, error.message);
}

/** What to show for an error that came as plain data. */
export function problemOfCode(code: ErrorCode | undefined, message: string): Problem {
  const [advice, remedy] = ADVICE[code ?? "internal"];
  return { message, advice, remedy };
}
