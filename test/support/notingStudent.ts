/** @file A linear student that notes what it is scored and trained on, and how often it starts again from its base weights. */
import type { PromptCompletion, ScoreName, ScoreRow } from "../../src/student/types.ts";
import { LinearStudent } from "./linearStudent.ts";

/** See the file's head. */
export class NotingStudent extends LinearStudent {
  readonly scored: PromptCompletion[] = [];
  readonly trained: (readonly PromptCompletion[])[] = [];
  resets = 0;
  override score(
    rows: readonly PromptCompletion[],
    scores: readonly ScoreName[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<ScoreRow[]> {
    this.scored.push(...rows);
    return super.score(rows, scores, options);
  }
  override train(
    rows: readonly PromptCompletion[],
    options: Parameters<LinearStudent["train"]>[1],
  ): ReturnType<LinearStudent["train"]> {
    this.trained.push(rows);
    return super.train(rows, options);
  }
  override reset(): Promise<void> {
    this.resets++;
    return super.reset();
  }
}
