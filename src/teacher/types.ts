/** @file One interface for every teacher: a new question like a seed, then a worked answer to it. */
import type { Rng } from "../core/rng.ts";
import type { Question } from "../tasks/types.ts";

export const OPERATIONS = ["simplify", "complicate", "vary"] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What one teacher call used. Built-in teachers cost no money; tokens are counted all the same (whitespace-separated words when a teacher reports none). */
export interface TeacherUsage {
  readonly requests: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly costUsd: number;
  readonly durationMs: number;
}

export interface TeacherReply<T> {
  readonly value: T;
  readonly usage: TeacherUsage;
}

export interface TeacherCall {
  /** Seeded per item, so that a resumed run asks the same. */
  readonly rng: Rng;
  readonly signal?: AbortSignal;
}

export interface Teacher {
  readonly name: string;
  /** A new question like `seed`. */
  propose(
    seed: Question,
    operation: Operation,
    call: TeacherCall,
  ): Promise<TeacherReply<{ readonly question: string; readonly level?: string; readonly tags?: Question["tags"] }>>;
  /** A worked answer to `question`. */
  answer(question: string, call: TeacherCall): Promise<TeacherReply<{ readonly answer: string }>>;
}
