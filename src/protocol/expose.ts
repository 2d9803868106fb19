/** @file The worker's end of the boundary: a `LoopService` made reachable through comlink. */
import { expose, releaseProxy } from "comlink";
import type { Endpoint, Remote } from "comlink";
import { installErrorTransfer } from "./errors.ts";
import type { EventListener } from "./eventBatcher.ts";
import { LOOP_SERVICE_METHODS } from "./loopService.ts";
import type { LoopService, TakeRecords } from "./loopService.ts";

/** Answers calls that arrive at `endpoint`, by default the worker's own. Errors arrive as `TutelageError`s. */
export function exposeLoopService(service: LoopService, endpoint?: Endpoint): void {
  installErrorTransfer();
  let release = (): void => undefined;
  const methods: Partial<Record<keyof LoopService, unknown>> = {};
  for (const name of LOOP_SERVICE_METHODS) {
    const method = service[name] as (...args: unknown[]) => Promise<unknown>;
    methods[name] = (...args: unknown[]) => method.apply(service, args);
  }
  methods.subscribe = async (listener: Remote<EventListener>) => {
    await service.subscribe((batch) => listener(batch));
    // The port of a replaced listener is given back.
    release();
    release = () => listener[releaseProxy]();
  };
  methods.tellRecords = async (runId: string, take: Remote<TakeRecords>) => {
    try {
      await service.tellRecords(runId, (records) => take(records));
    } finally {
      take[releaseProxy]();
    }
  };
  expose(methods, endpoint);
}
