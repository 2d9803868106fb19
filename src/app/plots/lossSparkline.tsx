/** @file Training loss, step by step, one stretch a round. Rounds of which only the mean is known (a resumed run) are drawn as that mean. */
import type { VNode } from "preact";
import type { RoundSummary } from "../../loop/records.ts";
import { formatNats } from "../format.ts";
import type { RoundLosses } from "../laneState.ts";
import { linePath, linearScale } from "../../charts/scale.ts";
import { useWidth } from "./useWidth.ts";

/** One round's stretch of the drawing. */
interface Stretch {
  readonly round: number;
  readonly steps: number;
  readonly points: readonly { readonly step: number; readonly loss: number }[];
}

const HEIGHT = 76;
const MARGIN = { top: 8, right: 4, bottom: 18, left: 40 } as const;

/** The rounds in order, from step losses where they are known and from the mean where not. */
export function lossStretches(losses: readonly RoundLosses[], rounds: readonly RoundSummary[]): readonly Stretch[] {
  const stretches: Stretch[] = losses.map(({ round, totalSteps, lastStep, points }) => ({
    round,
    steps: Math.max(totalSteps, lastStep, 1),
    points: points.filter(({ loss }) => Number.isFinite(loss)),
  }));
  const known = new Set(losses.map(({ round }) => round));
  for (const { round, meanLoss, steps } of rounds) {
    if (known.has(round) || meanLoss === null || !Number.isFinite(meanLoss)) continue;
    stretches.push({
      round,
      steps: Math.max(steps, 1),
      points: [0, Math.max(steps, 1)].map((step) => ({ step, loss: meanLoss })),
    });
  }
  return stretches.sort((a, b) => a.round - b.round);
}

/** The sparkline with its end value in words. */
export function LossSparkline({
  losses,
  rounds,
  label,
}: {
  readonly losses: readonly RoundLosses[];
  readonly rounds: readonly RoundSummary[];
  readonly label: string;
}): VNode {
  const [ref, width] = useWidth<HTMLDivElement>(400);
  const stretches = lossStretches(losses, rounds);
  const values = stretches.flatMap(({ points }) => points.map(({ loss }) => loss));
  const max = values.length === 0 ? 1 : Math.max(...values);
  const total = stretches.reduce((sum, { steps }) => sum + steps, 0);
  const x = linearScale([0, Math.max(1, total)], [MARGIN.left, width - MARGIN.right]);
  const y = linearScale([0, max], [HEIGHT - MARGIN.bottom, MARGIN.top]);
  const last = losses.at(-1);
  const text =
    last === undefined
      ? `Training loss of ${label}: nothing trained yet`
      : `Training loss of ${label} in nats per token: ${formatNats(last.lastLoss)} at step ${last.lastStep} of round ${last.round}`;
  let start = 0;
  return (
    <div class="plot sparkline" ref={ref}>
      {values.length === 0 ? (
        <p class="empty">Nothing trained yet.</p>
      ) : (
        <svg width={width} height={HEIGHT} role="img" aria-label={text}>
          <g class="axis">
            <text x={MARGIN.left - 8} y={y(max)} dy="0.5em" text-anchor="end">
              {max.toFixed(max < 10 ? 2 : 0)}
            </text>
            <text x={MARGIN.left - 8} y={y(0)} text-anchor="end">
              0
            </text>
            <line class="base" x1={MARGIN.left} x2={width - MARGIN.right} y1={y(0)} y2={y(0)} />
          </g>
          {stretches.map(({ round, steps, points }) => {
            const begin = start;
            start += steps;
            return (
              <g key={round}>
                <path
                  class="loss-line"
                  d={linePath(points.map(({ step, loss }) => [x(begin + step), y(loss)] as const))}
                />
                <line class="tick" x1={x(begin)} x2={x(begin)} y1={y(0)} y2={y(0) + 5} />
                <text class="axis-text" x={(x(begin) + x(begin + steps)) / 2} y={HEIGHT - 4} text-anchor="middle">
                  {stretches.length <= 8 ? `round ${round}` : round}
                </text>
              </g>
            );
          })}
        </svg>
      )}
    </div>
  );
}
