/**
 * @file What the page knows of one lane (one run of the closed loop), and the one
 * reducer that folds loop records into it. Pure; never mutates its input. Memory is
 * bounded by the limits below whatever arrives, text included. Replaying records
 * that were already folded (a resumed run tells its history again) changes nothing.
 * Not here: drawing, time, the worker.
 */
import type { EngineInfo } from "../runtime/types.ts";
import type { ExperimentConfig } from "../loop/config.ts";
import type { LoopRecord, MemoryChange, Phase, PoolItem, RoundSummary, SyntheticExample } from "../loop/records.ts";
import type { PrecisionChoice } from "../student/types.ts";
import type { TeacherUsage } from "../teacher/types.ts";

/** Upper bounds of what a lane keeps. */
export const LIMITS = {
  examples: 40,
  children: 2000,
  lossRounds: 24,
  lossPoints: 160,
  rounds: 1000,
  warnings: 8,
  memoryChanges: 8,
  poolItems: 5000,
  exampleIds: 20_000,
  textLength: 4000,
} as const;

/** Where the lane is in its round. */
export interface PhaseStatus {
  readonly phase: Phase;
  readonly state: "start" | "progress" | "end";
  readonly done: number;
  readonly total: number;
}

/** Losses of one round's training, thinned to at most `LIMITS.lossPoints` points: each point is the mean of `stride` steps. */
export interface RoundLosses {
  readonly round: number;
  readonly totalSteps: number;
  readonly lastStep: number;
  readonly lastLoss: number;
  readonly stride: number;
  readonly points: readonly LossPoint[];
}

/** Mean loss in nats over `count` steps that end at `step`. */
export interface LossPoint {
  readonly step: number;
  readonly loss: number;
  readonly count: number;
}

/** Why a seed is ringed. */
export interface PickInfo {
  readonly order: number;
  readonly score: number | null;
  readonly rank: number | null;
}

/** Pairs of the round that is under way. */
export interface RoundTally {
  readonly round: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly ids: ReadonlySet<string>;
}

/** A pair of the round as the pool shows it: beside the seed it was made from. */
export interface Child {
  readonly id: string;
  readonly seedId: string;
  readonly operation: SyntheticExample["operation"];
  readonly accepted: boolean;
  readonly question: string;
  readonly reason: string;
}

export interface LaneRun {
  readonly runId: string;
  readonly config: ExperimentConfig;
  readonly engine: EngineInfo;
  readonly student: { readonly name: string; readonly parameters: number; readonly trainable: number };
  readonly resumedAtRound: number;
}

export interface LaneState {
  readonly run: LaneRun | null;
  readonly round: number;
  readonly phase: PhaseStatus | null;
  /** Finished rounds in order; round 0 is the untouched student. */
  readonly rounds: readonly RoundSummary[];
  readonly pool: readonly PoolItem[];
  readonly poolRound: number;
  readonly picks: ReadonlyMap<string, PickInfo>;
  readonly picksRound: number;
  /** Newest first. */
  readonly examples: readonly SyntheticExample[];
  /** Of the last round that has any, in their order. */
  readonly children: readonly Child[];
  readonly tally: RoundTally;
  /** Decisions of people about pairs, as often as they were told. */
  readonly interventions: number;
  /** How it is computed otherwise than it began, once it was resumed so. */
  readonly memoryChanges: readonly MemoryChange[];
  readonly losses: readonly RoundLosses[];
  /** Training tokens per second, a moving average over the last few steps; null before the first. */
  readonly tokensPerSecond: number | null;
  /** What training computes in, once a training that was not asked for in float32 has said so. */
  readonly precision: PrecisionChoice | null;
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  /** What calls to a chat teacher used in the round under way; null with a built-in teacher. */
  readonly usage: { readonly round: number; readonly usage: TeacherUsage } | null;
  readonly done: boolean;
}

const EMPTY_TALLY: RoundTally = { round: -1, accepted: 0, rejected: 0, ids: new Set() };

/** A lane of which nothing has been heard. */
export const EMPTY_LANE: LaneState = {
  run: null,
  round: 0,
  phase: null,
  rounds: [],
  pool: [],
  poolRound: -1,
  picks: new Map(),
  picksRound: -1,
  examples: [],
  children: [],
  tally: EMPTY_TALLY,
  interventions: 0,
  memoryChanges: [],
  losses: [],
  tokensPerSecond: null,
  precision: null,
  warnings: [],
  usage: null,
  done: false,
};

/** The lane after `records`, in order. */
export function reduceRecords(state: LaneState, records: readonly LoopRecord[]): LaneState {
  let next = state;
  for (let i = 0; i < records.length; i++) {
    const record = records[i];
    if (record === undefined) break;
    if (record.type !== "example") {
      next = reduceRecord(next, record);
      continue;
    }
    // Pairs come by the hundred: what is kept of them is copied once for all that follow each other.
    const examples: SyntheticExample[] = [];
    for (let one = records[i]; one?.type === "example"; one = records[++i]) examples.push(one.example);
    i--;
    next = addExamples(next, examples);
  }
  return next;
}

function reduceRecord(state: LaneState, record: LoopRecord): LaneState {
  switch (record.type) {
    case "run": {
      const { type: _, ...run } = record;
      // A resumed run keeps what is on the screen; another run starts from nothing.
      if (state.run?.runId === run.runId) return { ...state, run, phase: null, done: false };
      return { ...EMPTY_LANE, run, round: run.resumedAtRound };
    }
    case "phase": {
      const { phase, state: progress, done, total } = record;
      return { ...state, round: record.round, phase: { phase, state: progress, done, total } };
    }
    case "pool":
      return { ...state, poolRound: record.round, pool: record.items.slice(0, LIMITS.poolItems).map(clipPoolItem) };
    case "picks":
      return {
        ...state,
        picksRound: record.round,
        picks: new Map(
          record.picks
            .slice(0, LIMITS.poolItems)
            .map(({ seedId, score, rank }, index) => [seedId, { order: index + 1, score, rank }]),
        ),
      };
    case "usage":
      return { ...state, usage: { round: record.round, usage: record.usage } };
    case "example":
      return addExamples(state, [record.example]);
    case "intervention":
      return { ...state, interventions: state.interventions + 1 };
    case "memory": {
      const told = JSON.stringify(record.change);
      const others = state.memoryChanges.filter((change) => JSON.stringify(change) !== told);
      return { ...state, memoryChanges: [...others, record.change].slice(-LIMITS.memoryChanges) };
    }
    case "step":
      return addStep(state, record);
    case "round": {
      const { summary } = record;
      const last = state.rounds.at(-1)?.round ?? -1;
      const others = last < summary.round ? state.rounds : state.rounds.filter(({ round }) => round !== summary.round);
      const rounds = [...others, summary];
      if (summary.round < last) rounds.sort((a, b) => a.round - b.round);
      if (rounds.length > LIMITS.rounds) rounds.splice(0, rounds.length - LIMITS.rounds);
      return { ...state, rounds, round: Math.max(state.round, summary.round) };
    }
    case "warning": {
      const warning = { code: record.code, message: clip(record.message) };
      const known = state.warnings.some(({ code, message }) => code === warning.code && message === warning.message);
      return known ? state : { ...state, warnings: [...state.warnings, warning].slice(-LIMITS.warnings) };
    }
    case "done":
      return { ...state, done: true };
    default:
      return record satisfies never;
  }
}

/** Pairs in their order; every list is copied once. */
function addExamples(state: LaneState, added: readonly SyntheticExample[]): LaneState {
  let { tally } = state;
  let children = [...state.children];
  let ids = new Set(tally.ids);
  let places = new Map(children.map(({ id }, place) => [id, place]));
  const newest = [...state.examples].reverse();
  for (const raw of added) {
    const example = clipped(raw);
    if (example.round > tally.round) {
      tally = { ...EMPTY_TALLY, round: example.round };
      [children, ids, places] = [[], new Set(), new Map()];
    }
    if (example.round === tally.round) {
      const place = places.get(example.id);
      if (place !== undefined) children[place] = childOf(example);
      else if (children.length < LIMITS.children) {
        places.set(example.id, children.length);
        children.push(childOf(example));
      }
      if (!ids.has(example.id)) {
        const { round, accepted, rejected } = tally;
        tally = example.accepted
          ? { round, accepted: accepted + 1, rejected, ids }
          : { round, accepted, rejected: rejected + 1, ids };
        if (ids.size < LIMITS.exampleIds) ids.add(example.id);
      }
    }
    const known = newest.findIndex(({ id }) => id === example.id);
    if (known >= 0) newest[known] = example;
    else newest.push(example);
    if (newest.length > LIMITS.examples) newest.shift();
  }
  return { ...state, examples: newest.reverse(), children, tally: { ...tally, ids } };
}

function clipped(example: SyntheticExample): SyntheticExample {
  const { question, answer, reason } = example;
  return { ...example, question: clip(question), answer: clip(answer), reason: clip(reason) };
}

function childOf({ id, seedId, operation, accepted, reason, question }: SyntheticExample): Child {
  return { id, seedId, operation, accepted, reason, question: question.slice(0, CHILD_TEXT) };
}

const CHILD_TEXT = 300;

const SPEED_SMOOTHING = 0.2;

function addStep(state: LaneState, record: LoopRecord & { readonly type: "step" }): LaneState {
  const { round, step, totalSteps, loss } = record;
  const current = state.losses.find((losses) => losses.round === round) ?? {
    round,
    totalSteps,
    lastStep: 0,
    lastLoss: loss,
    stride: 1,
    points: [],
  };
  const others = state.losses.filter((losses) => losses.round !== round);
  const losses = [...others, addLoss(current, step, totalSteps, loss)]
    .sort((a, b) => a.round - b.round)
    .slice(-LIMITS.lossRounds);
  const previous = state.tokensPerSecond;
  const speed = record.tokensPerSecond;
  return {
    ...state,
    round: Math.max(state.round, round),
    losses,
    precision: record.precision ?? state.precision,
    tokensPerSecond: !Number.isFinite(speed)
      ? previous
      : previous === null
        ? speed
        : previous + SPEED_SMOOTHING * (speed - previous),
  };
}

/** One more step; a step number that was seen before (the round was begun again) drops what came after it. */
function addLoss(losses: RoundLosses, step: number, totalSteps: number, loss: number): RoundLosses {
  let { stride } = losses;
  let points = step > losses.lastStep ? losses.points : losses.points.filter((point) => point.step < step);
  const last = points.at(-1);
  if (last !== undefined && last.count < stride) {
    const count = last.count + 1;
    points = [...points.slice(0, -1), { step, loss: last.loss + (loss - last.loss) / count, count }];
  } else {
    points = [...points, { step, loss, count: 1 }];
  }
  if (points.length > LIMITS.lossPoints) {
    stride *= 2;
    points = mergePairs(points);
  }
  return { round: losses.round, totalSteps, lastStep: step, lastLoss: loss, stride, points };
}

function mergePairs(points: readonly LossPoint[]): LossPoint[] {
  const merged: LossPoint[] = [];
  for (let i = 0; i < points.length; i += 2) {
    const a = points[i];
    const b = points[i + 1];
    if (a === undefined) break;
    if (b === undefined) merged.push(a);
    else {
      const count = a.count + b.count;
      merged.push({ step: b.step, loss: (a.loss * a.count + b.loss * b.count) / count, count });
    }
  }
  return merged;
}

function clipPoolItem(item: PoolItem): PoolItem {
  const { question, answer, ownAnswer } = item;
  // Thousands of seeds that are short need no copy.
  if (Math.max(question.length, answer.length, ownAnswer?.length ?? 0) <= LIMITS.textLength) return item;
  const short = { ...item, question: clip(question), answer: clip(answer) };
  return ownAnswer === undefined ? short : { ...short, ownAnswer: clip(ownAnswer) };
}

function clip(text: string): string {
  return text.length <= LIMITS.textLength ? text : `${text.slice(0, LIMITS.textLength)}… (${text.length} characters)`;
}

/** What a chat teacher was used for so far, the unfinished round included; null with the built-in teacher. */
export function teacherUse(lane: LaneState): {
  readonly requests: number;
  readonly cached: number;
  readonly tokens: number;
  readonly costUsd: number;
} | null {
  if (lane.run?.config.teacher.chat === undefined) return null;
  const { usage } = lane;
  const unfinished = usage !== null && !lane.rounds.some(({ round }) => round === usage.round) ? [usage.usage] : [];
  const all = [...lane.rounds.map(({ teacher }) => teacher), ...unfinished];
  const sum = (read: (one: TeacherUsage) => number): number => all.reduce((total, one) => total + read(one), 0);
  return {
    requests: sum(({ requests }) => requests),
    cached: sum(({ cached = 0 }) => cached),
    tokens: sum(({ promptTokens, completionTokens }) => promptTokens + completionTokens),
    costUsd: sum(({ costUsd }) => costUsd),
  };
}

/** Accepted pairs so far, those of the unfinished round included. */
export function acceptedPairs(lane: LaneState): number {
  const last = lane.rounds.at(-1);
  const finished = last?.examples ?? 0;
  return finished + (lane.tally.round > (last?.round ?? 0) ? lane.tally.accepted : 0);
}
