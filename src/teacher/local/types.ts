/** @file A language model that runs here, as teacher: what is asked for, what it turned out to be, what it is asked. Plain data, also across a worker's boundary. */
import type { LocalDevice } from "../config.ts";
import type { FinishReason, ModelDescription } from "../types.ts";

export interface LocalSettings {
  /** `org/name` on the hub, or a directory where there is a file system. */
  readonly model: string;
  /** Of the ONNX file, as its name says it: `q4`, `fp16`, … */
  readonly dtype: string;
  readonly device: LocalDevice;
  /** Another host of models than the hub. */
  readonly host?: string;
}

/** Of all files known so far. */
export interface LoadProgress {
  readonly path: string;
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

export interface LocalRequest {
  readonly messages: readonly { readonly role: "system" | "user" | "assistant"; readonly content: string }[];
  readonly maxOutputTokens: number;
  /** 0 is greedy; absent, the model's own. */
  readonly temperature?: number;
  /** Of sampling. */
  readonly seed: number;
}

export interface LocalReply {
  readonly text: string;
  readonly finishReason: FinishReason;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** A loaded model. One request at a time: the caller waits. */
export interface LocalModel {
  readonly about: ModelDescription;
  /** `stopped` is looked at between tokens. @throws TeacherError. */
  generate(request: LocalRequest, stopped: () => boolean): Promise<LocalReply>;
  dispose(): Promise<void>;
}

/** A model behind a worker, or in this thread. */
export interface LocalHost {
  /** Loads the model. @throws TeacherError when it cannot be had. */
  open(settings: LocalSettings, onProgress: (progress: LoadProgress) => void): Promise<ModelDescription>;
  /** @throws TeacherError; aborts with the signal's reason. */
  generate(request: LocalRequest, signal: AbortSignal): Promise<LocalReply>;
  /** Frees everything at once, whatever is under way. Idempotent. */
  close(): void;
}
