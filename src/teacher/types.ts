/** @file One interface for every teacher: a new question like a seed, a worked answer to it, a judgement of two answers. */
import type { Rng } from "../core/rng.ts";
import type { Question } from "../tasks/types.ts";

/** What a new question is, beside its seed: easier, harder, a step of reasoning longer, as hard and of the same kind, or as hard and of a rarer kind of the same domain. */
export const OPERATIONS = ["simplify", "complicate", "addStep", "vary", "rarer"] as const;
export type Operation = (typeof OPERATIONS)[number];

/** What one teacher call used. Built-in teachers cost no money; tokens are counted all the same (whitespace-separated words). */
export interface TeacherUsage {
  /** Requests sent, retries included; 0 for a reply from the cache. */
  readonly requests: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly costUsd: number;
  readonly durationMs: number;
  /** Replies that came from the cache and cost nothing; absent when none did. */
  readonly cached?: number;
}

/** Why a reply ended: by itself, or where the teacher was told to stop. */
export type FinishReason = "stop" | "length";

export interface TeacherReply<T> {
  readonly value: T;
  readonly usage: TeacherUsage;
  readonly finishReason: FinishReason;
}

export interface TeacherCall {
  /** Seeded per item, so that a resumed run asks the same. */
  readonly rng: Rng;
  readonly signal?: AbortSignal;
  /** A question of the task with its worked answer: shows the form that an answer has. */
  readonly example?: Pick<Question, "question" | "answer">;
}

/** A new question; level and tags where the teacher knows them. */
export interface ProposedQuestion {
  readonly question: string;
  readonly level?: string;
  readonly tags?: Question["tags"];
}

/**
 * Who writes questions and answers. A call rejects with `aborted` when it was stopped, with a
 * `TeacherError` that says whether only this item is lost or the teacher is gone, or with any other error.
 */
export interface Teacher {
  readonly name: string;
  /** A new question like `seed`. */
  propose(seed: Question, operation: Operation, call: TeacherCall): Promise<TeacherReply<ProposedQuestion>>;
  /** A worked answer to `question`. */
  answer(question: string, call: TeacherCall): Promise<TeacherReply<{ readonly answer: string }>>;
  /** Both in one call (arXiv 2403.15042, LLM2LLM); absent where the teacher is asked twice. */
  pair?(
    seed: Question,
    operation: Operation,
    call: TeacherCall,
  ): Promise<TeacherReply<ProposedQuestion & { readonly answer: string }>>;
  /** How good two answers to `question` are, 1 (bad) to 10 (good); their order has no influence (arXiv 2305.12870, Lion). */
  judge(
    question: string,
    answers: readonly [string, string],
    call: TeacherCall,
  ): Promise<TeacherReply<{ readonly scores: readonly [number, number] }>>;
  /** Makes the teacher ready, where that takes long (a model to be fetched); says what it turned out to be. @throws TeacherError; `aborted`. */
  prepare?(context: PrepareTeacherContext): Promise<ModelDescription>;
  /** What `prepare` found; undefined before. */
  description?(): ModelDescription | undefined;
  /** Gives up what `prepare` made. Idempotent. */
  close?(): void;
  /** Counts what calls of an earlier session used towards the ceilings. Absent where there are none. */
  charge?(usage: TeacherUsage): void;
}

/** How far a teacher's model is. */
export interface TeacherProgress {
  readonly id: string;
  /** File that is coming now. */
  readonly path: string;
  /** Of all files known so far. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Since the first. */
  readonly bytesPerSecond: number;
}

/** Whom preparing a teacher tells. */
export interface PrepareTeacherContext {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TeacherProgress) => void;
}

/** A local model as it runs. */
export interface ModelDescription {
  readonly device: string;
  readonly dtype: string;
  /** Why it does not run on WebGPU. */
  readonly fallbackReason?: string;
}

/** What a run would ask of a teacher, without retries and faults. */
export interface TeacherEstimate extends TeacherDemand {
  /** That one request was taken to last. */
  readonly requestSeconds: number;
  /** The same were every pair rejected and asked for again, by refills or in later rounds: a bound. Absent where nothing is asked again. */
  readonly atMost?: TeacherDemand;
}

/** Calls to a teacher, counted and estimated. */
export interface TeacherDemand {
  readonly requests: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Null without a price. */
  readonly costUsd: number | null;
  /** That the teacher's part takes. */
  readonly minutes: number;
  /** The ceiling that ends the run before this is used up; absent when none does. */
  readonly ceiling?: "requests" | "tokens" | "money" | "minutes" | undefined;
}

/** One call of a check and what came of it. Plain JSON. */
export interface TeacherCheck {
  readonly call: "propose" | "answer" | "pair" | "judge";
  readonly ok: boolean;
  /** What was understood of the reply, as text; empty when nothing was. */
  readonly result: string;
  /** Whether the task's checker accepts it, and why not; or what went wrong, in plain words. */
  readonly note: string;
  readonly usage: TeacherUsage;
  /** Of the first check of a teacher that is a model run here. */
  readonly model?: ModelDescription;
}

/** A reply that is kept, with what it used when it was asked for. */
export interface CachedReply {
  readonly text: string;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** What came of a file of kept replies. */
export interface ImportedReplies {
  readonly added: number;
  /** Kept here already. */
  readonly known: number;
  /** Lines that are no reply. */
  readonly unread: number;
}

/** A task's prompts with a user's changes, as the page shows them. Plain JSON. */
export interface PromptsView {
  readonly name: string;
  readonly version: number;
  /** Of everything they say; it stands in a run's manifest. */
  readonly sha256: string;
  /** Every template as it would be filled in. */
  readonly templates: Readonly<Record<string, string>>;
  /** Names of the values that a template may mention, in double braces. */
  readonly values: Readonly<Record<string, readonly string[]>>;
  /** Why a changed template cannot be used, by its name; such changes are left out of the rest. */
  readonly problems: Readonly<Record<string, string>>;
}

/** Replies by the hash of everything that decides them. Values are plain JSON. */
export interface ReplyCache {
  get(key: string): Promise<CachedReply | undefined>;
  /** Resolves when the reply is kept. */
  put(key: string, reply: CachedReply): Promise<void>;
}
