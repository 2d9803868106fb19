/**
 * @file Timing in turns: in every round each contender does each piece of work, so that
 * whatever else the machine does falls on all of them alike. What is reported are
 * medians over rounds, and medians of ratios taken within a round.
 */
import type { StepParts, Work } from "./contender.ts";
import type { Seat, Timing } from "./seat.ts";

/** Milliseconds by round, of one piece of work of one contender. */
export type Samples = readonly number[];

export interface Row {
  readonly seat: Seat;
  readonly times: ReadonlyMap<Work, Samples>;
  /** By round, of the steps in `times`; none where the contender does not tell. */
  readonly parts: readonly StepParts[];
}

/** Work shorter than this is repeated within a sample. */
const SAMPLE_MS = 60;
/** Lets the thread pool of the last contender stop spinning. */
const PAUSE_MS = 25;

export async function measure(
  seats: readonly Seat[],
  rounds: number,
  onRound: (round: number) => void,
): Promise<Row[]> {
  const jobs: { readonly seat: Seat; readonly work: Work; readonly times: number; readonly timings: Timing[] }[] = [];
  for (const seat of seats) {
    for (const work of seat.work) {
      // The first time warms up, the second says how often a sample repeats it.
      await seat.time(work, 1);
      const once = await seat.time(work, 1);
      jobs.push({ seat, work, times: Math.max(1, Math.ceil(SAMPLE_MS / once.ms)), timings: [] });
    }
  }
  for (let round = 0; round < rounds; round++) {
    // Another order each round: nobody always follows the same neighbour.
    const shift = round % jobs.length;
    for (const job of [...jobs.slice(shift), ...jobs.slice(0, shift)]) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      job.timings.push(await job.seat.time(job.work, job.times));
    }
    onRound(round + 1);
  }
  return seats.map((seat) => {
    const own = jobs.filter((job) => job.seat === seat);
    return {
      seat,
      times: new Map(own.map(({ work, timings }) => [work, timings.map(({ ms }) => ms)])),
      parts: own.flatMap(({ timings }) => timings.flatMap(({ parts }) => parts ?? [])),
    };
  });
}

export function quantile(samples: Samples, q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const [low = NaN, high = NaN] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}

export const median = (samples: Samples): number => quantile(samples, 0.5);

/** Median over rounds of `f` of the samples of that round. */
export function pairedMedian(f: (...ms: number[]) => number, ...samples: readonly Samples[]): number {
  const [first = []] = samples;
  return median(first.map((_, round) => f(...samples.map((list) => list[round] ?? NaN))));
}
