/** @file Medians of the picked seeds' scores against medians of the scores of the questions they gave: one point a round of a run (Figure 2 of arXiv 2512.00884). */
import type { VNode } from "preact";
import type { StrategyReport } from "../study/reportSchema.ts";
import { Axes, MARGIN } from "./axes.tsx";
import { linearScale } from "./scale.ts";

const WIDTH = 300;
const HEIGHT = 220;

/** Nothing for a strategy without medians. */
export function FidelityPlot({ strategy }: { readonly strategy: StrategyReport }): VNode | null {
  const dataset = strategy.fidelity?.dataset;
  if (dataset === null || dataset === undefined) return null;
  const { medians, rho, points } = dataset;
  const x = linearScale(padded(medians.map(([seed]) => seed)), [MARGIN.left + 6, WIDTH - MARGIN.right]);
  const y = linearScale(padded(medians.map(([, question]) => question)), [HEIGHT - MARGIN.bottom, MARGIN.top]);
  return (
    <figure class="sr-panel">
      <figcaption>
        {strategy.name}{" "}
        <span class="sr-soft">
          ρ = {rho.value.toFixed(2)}, {points} rounds
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${strategy.name}: median score of the picked seeds against the median score of their questions, ${points} rounds, Spearman's ρ ${rho.value.toFixed(2)}.`}
      >
        <Axes
          x={x}
          y={y}
          width={WIDTH}
          height={HEIGHT}
          xTitle="seeds, median score"
          yTitle="their questions, median score"
        />
        <g class="sr-front">
          {medians.map(([seed, question], i) => (
            <circle key={i} class="sr-open" cx={x(seed).toFixed(1)} cy={y(question).toFixed(1)} r={3} />
          ))}
        </g>
      </svg>
    </figure>
  );
}

function padded(values: readonly number[]): readonly [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const spare = high > low ? 0.05 * (high - low) : 0.5;
  return [low - spare, high + spare];
}
