/**
 * @file The inside of a contender's process or page: opens the contender that it is
 * told to be, does work when asked and says how long that took. The clock is here,
 * beside the work, so that messages are not timed.
 */
import type { Contender, ContenderSpec, StepParts, StepResult, Work } from "./contender.ts";
import { openContender } from "./openContender.ts";

export type Request =
  | { readonly type: "open"; readonly spec: ContenderSpec }
  | { readonly type: "step" }
  | { readonly type: "time"; readonly work: Work; readonly times: number }
  | { readonly type: "close" };

export type Reply =
  | { readonly type: "opened"; readonly description: string; readonly work: readonly Work[] }
  | { readonly type: "stepped"; readonly result: StepResult }
  | { readonly type: "timed"; readonly ms: number; readonly parts?: StepParts | undefined }
  | { readonly type: "closed" }
  | { readonly type: "failed"; readonly message: string };

/** Answers requests one after the other; a failure is an answer too. */
export class Service {
  #contender: Contender | undefined;

  async answer(request: Request): Promise<Reply> {
    try {
      return await this.#do(request);
    } catch (error) {
      return { type: "failed", message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
  }

  async #do(request: Request): Promise<Reply> {
    if (request.type === "open") {
      this.#contender = await openContender(request.spec);
      return {
        type: "opened",
        description: this.#contender.description,
        work: Object.keys(this.#contender.work) as Work[],
      };
    }
    const contender = this.#contender;
    if (contender === undefined) throw new Error("asked to work before it was opened");
    switch (request.type) {
      case "step": {
        const { loss, gradNorm } = await contender.step();
        return { type: "stepped", result: { loss, gradNorm } };
      }
      case "time": {
        const run = contender.work[request.work];
        if (run === undefined) throw new Error(`${contender.description} has no work '${request.work}'`);
        contender.startParts?.();
        const startedMs = performance.now();
        for (let i = 0; i < request.times; i++) await run();
        const ms = performance.now() - startedMs;
        const parts = request.work === "step" ? contender.takeParts?.(ms, request.times) : undefined;
        return { type: "timed", ms: ms / request.times, parts };
      }
      case "close":
        await contender.dispose?.();
        return { type: "closed" };
      default:
        throw new Error(`unknown request ${JSON.stringify(request satisfies never)}`);
    }
  }
}
