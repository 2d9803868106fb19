/** @file What a seed's card asks for: losses of an answer's tokens from the worker, one question at a time, kept while the student stays the same. */
import { messageOf } from "../../../../core/errors.ts";
import type { ExperimentConfig } from "../../../../loop/config.ts";
import type { TokenLoss } from "../../../../student/types.ts";
import type { Page } from "../../../controller.ts";

export interface SeedTools {
  /** Absent while no student is open in the worker. */
  readonly tokenLosses: ((question: string, answer: string) => Promise<readonly TokenLoss[]>) | undefined;
  readonly config: ExperimentConfig | undefined;
}

/** Tools of a lane's cards. */
export function seedTools(page: Page, lane: number, open: boolean, config: ExperimentConfig | undefined): SeedTools {
  if (!open) return { tokenLosses: undefined, config };
  let turn: Promise<unknown> = Promise.resolve();
  return {
    config,
    tokenLosses: (question, answer) => {
      const { service } = page.link;
      const asked = turn.then(() => {
        if (service === undefined) throw new Error("The worker is not running.");
        return service.tokenLosses({ lane, question, answer });
      });
      turn = asked.catch(() => undefined);
      return asked;
    },
  };
}

/** Why there are no losses, for people. */
export function whyNoLosses(error: unknown): string {
  return `Token losses are not to be had: ${messageOf(error)}`;
}
