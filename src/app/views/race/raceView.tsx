/** @file The race: two students of one base, seed and budget that differ in who picks what is asked. First screen of the page. */
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { laneLabels } from "../../appState.ts";
import { Glyph, LaneMark } from "../../components/icons.tsx";
import { formatCount } from "../../format.ts";
import { EMPTY_LANE } from "../../laneState.ts";
import { LearningCurve } from "../../plots/learningCurve.tsx";
import { maxLossOf } from "../../plots/poolLayout.ts";
import { withDrawer } from "../../route.ts";
import { checkSettings, summarizeDraft } from "../../settings.ts";
import type { ViewProps } from "../registry.ts";
import { Controls } from "./controls.tsx";
import { Findings, HowItWorks, RoundTable } from "./findings.tsx";
import { LaneView } from "./laneView.tsx";

/** The race. */
export function RaceView({ state, page }: ViewProps): VNode {
  const { draft, lanes, race, lossKind } = state;
  const [a = EMPTY_LANE, b = EMPTY_LANE] = lanes;
  const [labelA, labelB] = laneLabels(state);
  const run = a.run ?? b.run;
  const checked = useMemo(() => checkSettings(draft), [draft]);
  const curves = useMemo(
    () =>
      [
        { label: labelA, rounds: a.rounds },
        { label: labelB, rounds: b.rounds },
      ] as const,
    [labelA, labelB, a.rounds, b.rounds],
  );
  const budget = run === null ? plannedBudget(checked) : run.config.rounds * run.config.querySize * run.config.perSeed;
  const curve = useMemo(() => <LearningCurve lanes={curves} budget={budget} />, [curves, budget]);
  const findings = useMemo(() => <Findings lanes={curves} />, [curves]);
  const table = useMemo(() => <RoundTable lanes={curves} />, [curves]);
  const maxLoss = useMemo(() => maxLossOf([a.pool, b.pool], lossKind), [a.pool, b.pool, lossKind]);
  const evaluation = (a.rounds.at(-1) ?? b.rounds.at(-1))?.evaluation;
  return (
    <>
      <section class="bar" aria-label="Controls">
        <Controls state={state} actions={page.race} valid={checked.ok} />
        <p class="set-up-line">
          <a class="chip" href={withDrawer(state.route, "setup")}>
            Set up
          </a>{" "}
          <span>{summarizeDraft(draft)}</span>
        </p>
      </section>
      <div class="overview">
        <section class="curve" aria-labelledby="curve-title">
          <div class="panel-head">
            <h2 id="curve-title">Accuracy on questions it was never trained on</h2>
            <p class="legend">
              {curves.map(({ label }, index) => (
                <span key={index} class={`lane-${index}`}>
                  <Glyph>
                    <LaneMark lane={index} x={0} y={0} size={10} />
                  </Glyph>
                  {label}
                </span>
              ))}
              <span>
                bars: 95&nbsp;% Wilson interval
                {evaluation === undefined ? "" : `, n = ${formatCount(evaluation.n, `${evaluation.split} question`)}`}
              </span>
            </p>
          </div>
          {curve}
          {table}
        </section>
        <div class="words">{run === null ? <HowItWorks /> : findings}</div>
      </div>
      <div class="lanes">
        {[a, b].map((lane, index) => (
          <LaneView
            key={index}
            index={index}
            label={index === 0 ? labelA : labelB}
            strategy={lane.run?.config.strategy.name ?? (index === 0 ? draft.strategyA : draft.strategyB)}
            lane={lane}
            problem={state.laneProblems[index] ?? null}
            lossKind={lossKind}
            maxLoss={maxLoss}
            onLossKind={(kind) => page.race.showLoss(kind)}
            onRestart={() => page.race.restart()}
            onSave={race === null ? undefined : (format) => page.race.saveStudent(index, format)}
          />
        ))}
      </div>
    </>
  );
}

/** An axis to look at while the settings are being corrected. */
const UNKNOWN_BUDGET = 100;

function plannedBudget(checked: ReturnType<typeof checkSettings>): number {
  if (!checked.ok) return UNKNOWN_BUDGET;
  const { rounds, querySize, perSeed } = checked.settings;
  return rounds * querySize * perSeed;
}
