/**
 * @file Learning curves of several kept runs in one plot: a colour and a mark a race, a
 * line style a lane. Points without whiskers, which would cover each other here; the interval
 * of the last point is in the table.
 */
import type { VNode } from "preact";
import { linePath, linearScale } from "../../../charts/scale.ts";
import type { RoundSummary } from "../../../loop/records.ts";
import { formatCount, formatPercent } from "../../format.ts";
import { AccuracyAxes, NARROW_PX } from "../../plots/accuracyAxes.tsx";
import { accuracyDomain, LINE_POINTS } from "../../plots/learningCurve.tsx";
import { useWidth } from "../../plots/useWidth.ts";
import { shortTitle } from "./keptRaces.ts";
import type { KeptRace } from "./keptRaces.ts";

const MARGIN = { top: 30, right: 18, bottom: 46, left: 40 } as const;

interface Curve {
  readonly race: number;
  readonly lane: number;
  readonly label: string;
  readonly rounds: readonly RoundSummary[];
}

/** The plot and its numbers. */
export function RunCurves({
  races,
  rounds,
}: {
  readonly races: readonly KeptRace[];
  readonly rounds: ReadonlyMap<string, readonly RoundSummary[]>;
}): VNode {
  const [ref, width] = useWidth<HTMLDivElement>(640);
  const height = width < NARROW_PX ? 260 : 340;
  const curves = races.flatMap((race, index) =>
    race.lanes.map(({ manifest }, lane): Curve => ({
      race: index,
      lane,
      label: `${shortTitle(race)} · ${manifest.config.strategy.name}`,
      rounds: rounds.get(manifest.runId) ?? [],
    })),
  );
  const last = Math.max(1, ...curves.flatMap((curve) => curve.rounds.map(({ examples }) => examples)));
  const [low, high] = accuracyDomain(curves);
  const x = linearScale([0, last], [MARGIN.left + 8, width - MARGIN.right]);
  const y = linearScale([low, high], [height - MARGIN.bottom, MARGIN.top]);
  return (
    <>
      <div class="plot" ref={ref}>
        <svg width={width} height={height} role="img" aria-label={curvesLabel(curves)}>
          <AccuracyAxes
            {...{ x, y, last, width, height }}
            domain={[low, high]}
            margin={MARGIN}
            title="↑ right answers, % of held-out questions"
          />
          {curves.map((curve) => (
            <g key={`${curve.race} ${curve.lane}`} class={`series series-${curve.race} series-lane-${curve.lane}`}>
              <path
                class="series-line"
                d={linePath(curve.rounds.map(({ examples, evaluation }) => [x(examples), y(evaluation.accuracy)] as const))}
              />
              {(curve.rounds.length < LINE_POINTS ? curve.rounds : curve.rounds.slice(-1)).map(({ round, examples, evaluation }) => (
                <g key={round} transform={`translate(${x(examples).toFixed(1)},${y(evaluation.accuracy).toFixed(1)})`}>
                  <title>{`${curve.label}, round ${round}: ${formatPercent(evaluation.accuracy)} (${evaluation.correct} of ${evaluation.n}), ${formatCount(examples, "pair")}`}</title>
                  <SeriesMark race={curve.race} />
                </g>
              ))}
            </g>
          ))}
        </svg>
      </div>
      <div class="scroll" tabIndex={0} role="region" aria-label="Numbers of the compared runs">
        <table class="compare-table">
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">Rounds</th>
              <th scope="col">Pairs</th>
              <th scope="col">Before</th>
              <th scope="col">Now</th>
              <th scope="col">95 % interval</th>
              <th scope="col">Questions</th>
            </tr>
          </thead>
          <tbody>
            {curves.map((curve) => (
              <CurveRow key={`${curve.race} ${curve.lane}`} curve={curve} />
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function CurveRow({ curve: { race, lane, label, rounds } }: { readonly curve: Curve }): VNode {
  const first = rounds[0]?.evaluation;
  const summary = rounds.at(-1);
  const now = summary?.evaluation;
  return (
    <tr>
      <th scope="row">
        <svg class={`series series-${race} series-lane-${lane}`} width={34} height={12} aria-hidden="true">
          <path class="series-line" d="M0,6H34" />
          <g transform="translate(17,6)">
            <SeriesMark race={race} />
          </g>
        </svg>{" "}
        {label}
      </th>
      <td>{summary?.round ?? "–"}</td>
      <td>{summary?.examples ?? "–"}</td>
      <td>{first === undefined ? "–" : formatPercent(first.accuracy)}</td>
      <td>{now === undefined ? "–" : formatPercent(now.accuracy)}</td>
      <td>{now === undefined ? "–" : `${(now.low * 100).toFixed(1)}–${formatPercent(now.high)}`}</td>
      <td>{now === undefined ? "–" : `${now.n} ${now.split}`}</td>
    </tr>
  );
}

/** Disc, square, triangle, diamond. */
function SeriesMark({ race }: { readonly race: number }): VNode {
  const paths = ["", "M-4,-4H4V4H-4Z", "M0,-5L4.6,3.6H-4.6Z", "M0,-5L5,0L0,5L-5,0Z"];
  const path = paths[race % paths.length] ?? "";
  return path === "" ? <circle class="series-mark" r={4.2} /> : <path class="series-mark" d={path} />;
}

function curvesLabel(curves: readonly Curve[]): string {
  const parts = curves.map(({ label, rounds }) => {
    const now = rounds.at(-1);
    return now === undefined
      ? `${label}: nothing yet`
      : `${label}: ${formatPercent(now.evaluation.accuracy)} after ${formatCount(now.examples, "pair")}`;
  });
  return `Learning curves of kept runs: accuracy against accepted synthetic pairs. ${parts.join("; ")}. The numbers are in the table below.`;
}
