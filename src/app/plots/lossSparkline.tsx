/** @file Training loss, step by step, one stretch a round. Rounds of which only the mean is known (a resumed run) are drawn as that mean. */
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
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
  // Of a thousand rounds only the last is in training: what is made of the others is kept between its steps.
  const current = losses.at(-1);
  const others = useMemo(
    () =>
      summarize(
        lossStretches(
          losses.slice(0, -1),
          rounds.filter(({ round }) => round !== current?.round),
        ),
      ),
    [losses.length, losses.at(-2), rounds, current?.round],
  );
  const own = summarize(current === undefined ? [] : lossStretches([current], []));
  const max = Math.max(others.max, own.max);
  const total = others.steps + own.steps;
  const x = linearScale([0, Math.max(1, total)], [MARGIN.left, width - MARGIN.right]);
  const y = linearScale([0, max > 0 ? max : 1], [HEIGHT - MARGIN.bottom, MARGIN.top]);
  const every = labelStride(others.stretches.length + own.stretches.length, width);
  const past = useMemo(
    () => <Stretches stretches={others.stretches} first={0} begin={0} x={x} y={y} every={every} />,
    [others, total, max, width, every],
  );
  const text =
    current === undefined
      ? `Training loss of ${label}: nothing trained yet`
      : `Training loss of ${label} in nats per token: ${formatNats(current.lastLoss)} at step ${current.lastStep} of round ${current.round}`;
  return (
    <div class="plot sparkline" ref={ref}>
      {others.values + own.values === 0 ? (
        <p class="empty">Nothing trained yet.</p>
      ) : (
        <svg width={width} height={HEIGHT} role="img" aria-label={text}>
          <g class="axis">
            <text x={MARGIN.left - 8} y={MARGIN.top} dy="0.5em" text-anchor="end">
              {(max > 0 ? max : 1).toFixed(max < 10 ? 2 : 0)}
            </text>
            <text x={MARGIN.left - 8} y={y(0)} text-anchor="end">
              0
            </text>
            <line class="base" x1={MARGIN.left} x2={width - MARGIN.right} y1={y(0)} y2={y(0)} />
          </g>
          {past}
          <Stretches
            stretches={own.stretches}
            first={others.stretches.length}
            begin={others.steps}
            x={x}
            y={y}
            every={every}
          />
        </svg>
      )}
    </div>
  );
}

/** Stretches with what the axes need to know of them. */
interface Summary {
  readonly stretches: readonly Stretch[];
  readonly steps: number;
  /** Largest loss; 0 without any. */
  readonly max: number;
  /** How many losses there are. */
  readonly values: number;
}

function summarize(stretches: readonly Stretch[]): Summary {
  let [steps, max, values] = [0, 0, 0];
  for (const stretch of stretches) {
    steps += stretch.steps;
    values += stretch.points.length;
    for (const { loss } of stretch.points) max = Math.max(max, loss);
  }
  return { stretches, steps, max, values };
}

/** One label in so many stretches, so that they do not run into each other. */
export function labelStride(stretches: number, width: number): number {
  const room = Math.max(1, Math.floor((width - MARGIN.left - MARGIN.right) / LABEL_PX));
  const least = Math.max(1, stretches / room);
  const unit = 10 ** Math.floor(Math.log10(least));
  return unit * ([1, 2, 5, 10].find((step) => step * unit >= least) ?? 10);
}

/** Width of a label of up to four digits with room beside it. */
const LABEL_PX = 34;
/** Up to this many stretches, labels say "round". */
const WORDED = 8;

/** Stretches drawn one behind the other from step `begin` on: their losses, a tick each (or each labelled one), labels. */
function Stretches({
  stretches,
  first,
  begin,
  x,
  y,
  every,
}: {
  readonly stretches: readonly Stretch[];
  /** Place of the first among all. */
  readonly first: number;
  readonly begin: number;
  readonly x: (step: number) => number;
  readonly y: (loss: number) => number;
  readonly every: number;
}): VNode {
  let start = begin;
  const lines: string[] = [];
  const ticks: string[] = [];
  const labels: VNode[] = [];
  const worded = first + stretches.length <= WORDED;
  stretches.forEach(({ round, steps, points }, index) => {
    const from = start;
    start += steps;
    if (points.length > 0) lines.push(linePath(points.map(({ step, loss }) => [x(from + step), y(loss)] as const)));
    if (every > 1 && round % every !== 0) return;
    ticks.push(`M${x(from).toFixed(1)},${y(0).toFixed(1)}v5`);
    labels.push(
      <text key={first + index} class="axis-text" x={(x(from) + x(start)) / 2} y={HEIGHT - 4} text-anchor="middle">
        {worded ? `round ${round}` : round}
      </text>,
    );
  });
  return (
    <g>
      <path class="loss-line" d={lines.join("")} />
      <path class="tick" d={ticks.join("")} />
      {labels}
    </g>
  );
}
