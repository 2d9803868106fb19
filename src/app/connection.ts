/** @file How the page holds the loop worker: the service, and word of its death. `main.ts` makes one from `protocol/client.ts`, tests make their own. */
import type { LoopService } from "../protocol/loopService.ts";

export interface Connection {
  readonly service: LoopService;
  /** Ends the worker; every pending call rejects. Idempotent. */
  close(): void;
}

/**
 * Starts a worker that may connect to this page's origin and to `origins`, and to nothing
 * else. `onCrash` is called at most once, when it crashed or stopped answering; never after `close`.
 */
export type Connect = (onCrash: (error: Error) => void, origins: readonly string[]) => Connection | Promise<Connection>;
