/** @file Stopping a command from the terminal: SIGINT and SIGTERM as an `AbortSignal`. */

/**
 * Runs `body` with a signal that aborts on the first SIGINT or SIGTERM, so that it can
 * end in order; a second one ends the process as usual.
 */
export async function withInterrupt<T>(body: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const stop = (): void => {
    abort.abort(new Error("interrupted"));
    process.off("SIGINT", stop).off("SIGTERM", stop);
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    return await body(abort.signal);
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}
