/**
 * @file What was read from a run folder or an archive is unknown until it is checked here:
 * shapes and types of every field that the loop relies on or the page shows. Unknown
 * extra fields are kept, so that a newer minor version's files still read.
 */
import * as v from "valibot";
import { TutelageError, badInput } from "../core/errors.ts";
import type { Checkpoint, RunEntry, RunManifest } from "../loop/runStore.ts";
import type { StopReason } from "../loop/records.ts";
import type { Operation } from "../teacher/types.ts";

const RUN_SCHEMA_VERSION = 1 satisfies RunManifest["schemaVersion"];

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const STOP_REASONS = ["rounds", "budget", "target", "plateau", "used-up"] as const satisfies readonly StopReason[];
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const OPERATIONS = ["simplify", "complicate", "addStep", "vary", "rarer", "copy"] as const satisfies readonly (
  | Operation
  | "copy"
)[];
const tally = v.looseObject({ n: count, correct: count });
const evaluation = v.looseObject({
  split: v.picklist(["validation", "test"]),
  n: count,
  correct: count,
  accuracy: share,
  low: share,
  high: share,
  byLevel: v.record(v.string(), tally),
  byTag: v.optional(v.record(v.string(), v.record(v.string(), tally)), {}),
});
const usage = v.looseObject({
  requests: count,
  promptTokens: v.number(),
  completionTokens: v.number(),
  costUsd: v.number(),
  durationMs: v.number(),
});

const positive = v.pipe(count, v.minValue(1));
const memory = v.looseObject({
  batchSize: positive,
  gradAccum: positive,
  generationBatchSize: positive,
  gradientCheckpointing: v.picklist(["auto", "on"]),
});

const manifest = v.looseObject({
  runId: v.string(),
  createdAt: v.string(),
  version: v.string(),
  config: v.looseObject({ schemaVersion: v.literal(1), rounds: count }),
  engine: v.looseObject({ ep: v.string(), version: v.string() }),
  student: v.looseObject({ name: v.string(), parameters: count, trainable: count }),
  dropped: v.optional(
    v.looseObject({ pool: v.array(v.string()), validation: v.array(v.string()), test: v.array(v.string()) }),
  ),
});

const entry = v.variant("type", [
  v.looseObject({
    type: v.literal("pool"),
    round: count,
    items: v.array(
      v.looseObject({
        id: v.string(),
        question: v.string(),
        answer: v.string(),
        level: v.string(),
        ownAnswer: v.optional(v.string()),
        correct: v.optional(v.boolean()),
        // JSON has no NaN: a score that was none is null.
        ownLoss: v.nullish(v.number()),
        trueLoss: v.nullish(v.number()),
        score: v.nullish(v.number()),
      }),
    ),
  }),
  v.looseObject({
    type: v.literal("picks"),
    round: count,
    picks: v.array(v.looseObject({ seedId: v.string(), score: v.nullable(v.number()), rank: v.nullable(v.number()) })),
  }),
  v.looseObject({
    type: v.literal("reply"),
    reply: v.looseObject({
      round: count,
      id: v.string(),
      call: v.picklist(["propose", "answer", "pair", "judge"]),
      outcome: v.variant("ok", [
        v.looseObject({
          ok: v.literal(true),
          text: v.string(),
          answer: v.optional(v.string()),
          level: v.optional(v.string()),
        }),
        v.looseObject({ ok: v.literal(false), message: v.string(), budget: v.optional(v.literal(true)) }),
      ]),
      usage,
    }),
  }),
  v.looseObject({
    type: v.literal("example"),
    example: v.looseObject({
      id: v.string(),
      round: count,
      seedId: v.string(),
      operation: v.picklist(OPERATIONS),
      question: v.string(),
      answer: v.string(),
      level: v.optional(v.string()),
      seedScore: v.nullish(v.number()),
      seedRank: v.nullish(v.number()),
      accepted: v.boolean(),
      verification: v.picklist(["off", "passed", "failed", "duplicate", "near-duplicate"]),
      reason: v.string(),
      usage,
    }),
  }),
  v.looseObject({
    type: v.literal("intervention"),
    intervention: v.looseObject({
      id: v.string(),
      exampleId: v.string(),
      round: count,
      at: v.string(),
      action: v.picklist(["reject", "edit", "restore"]),
      question: v.optional(v.string()),
      answer: v.optional(v.string()),
      reason: v.string(),
    }),
  }),
  v.looseObject({
    type: v.literal("memory"),
    change: v.looseObject({ round: count, from: memory, to: memory }),
  }),
  v.looseObject({
    type: v.literal("round"),
    summary: v.looseObject({
      round: count,
      examples: count,
      accepted: count,
      rejected: count,
      teacher: usage,
      evaluation,
      validation: v.optional(evaluation),
      outcomes: v.optional(v.record(v.string(), count), {}),
      taught: v.optional(count, 0),
      planned: v.optional(count),
      refills: v.optional(count, 0),
      unsound: v.optional(count, 0),
      stop: v.optional(v.nullable(v.picklist(STOP_REASONS)), null),
      meanLoss: v.nullable(v.number()),
      steps: count,
      poolAccuracy: v.nullable(share),
      durationMs: v.number(),
    }),
  }),
]);

const timing = v.looseObject({ round: count, durationMs: v.number(), teacherMs: v.number() });

/** A round's durations in milliseconds. */
export interface Timing {
  readonly round: number;
  readonly durationMs: number;
  readonly teacherMs: number;
}

const checkpointHeader = v.looseObject({
  schemaVersion: v.literal(RUN_SCHEMA_VERSION),
  round: count,
  exampleIds: v.array(v.string()),
  steps: v.array(
    v.looseObject({
      step: count,
      loss: v.number(),
      gradNorm: v.number(),
      lr: v.number(),
      tokens: count,
      tokensPerSecond: v.number(),
    }),
  ),
  sha256: v.string(),
  /** In the order of the file; lengths in elements. */
  tensors: v.array(v.strictObject({ name: v.string(), length: count })),
});

/** `checkpoint.json`: a checkpoint without its parameters, and how to read them. */
export type CheckpointHeader = Omit<Checkpoint, "parameters"> & {
  readonly sha256: string;
  readonly tensors: readonly { readonly name: string; readonly length: number }[];
};

/** A run's manifest. @throws unsupported for another schema version, bad-input for anything else wrong. */
export function parseManifest(where: string, value: unknown): RunManifest {
  if (
    typeof value === "object" &&
    value !== null &&
    "schemaVersion" in value &&
    value.schemaVersion !== RUN_SCHEMA_VERSION
  ) {
    throw new TutelageError(
      "unsupported",
      `${where}: expected stored schema version ${RUN_SCHEMA_VERSION}, got ${JSON.stringify(value.schemaVersion)}. It was written by another version of Tutelage`,
    );
  }
  return parse(where, manifest, value) as unknown as RunManifest;
}

/** One entry of a run. @throws bad-input naming the field. */
export function parseEntry(where: string, value: unknown): RunEntry {
  return parse(where, entry, value) as unknown as RunEntry;
}

/** A line of `timings.jsonl`. @throws bad-input naming the field. */
export function parseTiming(where: string, value: unknown): Timing {
  return parse(where, timing, value);
}

/** A checkpoint's header. @throws bad-input naming the field. */
export function parseCheckpointHeader(where: string, value: unknown): CheckpointHeader {
  return parse(where, checkpointHeader, value);
}

// The checked fields are those the loop reads; `as unknown as` above covers the ones that are only shown.
function parse<T extends v.GenericSchema>(where: string, schema: T, value: unknown): v.InferOutput<T> {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue);
  return badInput(
    path === null ? where : `${where}, ${path}`,
    issue.expected ?? "another value",
    issue.received,
    "The stored run is damaged",
  );
}
