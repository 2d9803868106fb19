/** @file The whole page from one state. */
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import type { AppState } from "../appState.ts";
import { hasRun, laneLabels } from "../appState.ts";
import type { Actions } from "../controller.ts";
import { formatCount } from "../format.ts";
import { EMPTY_LANE } from "../laneState.ts";
import { LearningCurve } from "../plots/learningCurve.tsx";
import { maxLossOf } from "../plots/poolLayout.ts";
import { checkSettings } from "../settings.ts";
import { Announcer } from "./announcer.tsx";
import { Banners } from "./banners.tsx";
import { Controls, announcement } from "./controls.tsx";
import { EngineLine } from "./engineLine.tsx";
import { Findings, HowItWorks, RoundTable } from "./findings.tsx";
import { Glyph, LaneMark } from "./icons.tsx";
import { LaneView } from "./laneView.tsx";
import { SettingsPanel } from "./settingsPanel.tsx";
import { StudentFields } from "./studentFields.tsx";
import { TeacherFields } from "./teacherFields.tsx";

/** The page. */
export function AppView({ state, actions }: { readonly state: AppState; readonly actions: Actions }): VNode {
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
  const speeds = [a, b].flatMap(({ tokensPerSecond }) => tokensPerSecond ?? []);
  const evaluation = (a.rounds.at(-1) ?? b.rounds.at(-1))?.evaluation;
  return (
    <>
      <header class="masthead">
        <h1>Tutelage</h1>
        <p>
          A small language model learns in this tab: it picks what to ask, a teacher answers, and ONNX Runtime trains it
          on your own machine.
        </p>
      </header>
      <Announcer text={announcement(state, [labelA, labelB])} />
      <section class="console" aria-label="Controls">
        <div class="bar">
          <Controls state={state} actions={actions} valid={checked.ok} />
        </div>
        <Banners state={state} actions={actions} />
        <SettingsPanel
          draft={draft}
          checked={checked}
          later={hasRun(state)}
          onChange={(name, value) => actions.changeSetting(name, value)}
          student={<StudentFields state={state} checked={checked} actions={actions} />}
          teacher={<TeacherFields state={state} checked={checked} actions={actions} />}
        />
        <EngineLine
          engine={race?.engine ?? run?.engine ?? null}
          isolated={state.isolated}
          tokensPerSecond={speeds.length === 0 ? null : speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length}
          student={run?.student ?? race?.lanes[0]?.student ?? null}
        />
      </section>
      <main>
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
              onLossKind={(kind) => actions.showLoss(kind)}
              onRestart={() => actions.restart()}
              onSave={race === null ? undefined : (format) => actions.saveStudent(index, format)}
            />
          ))}
        </div>
      </main>
      <footer>
        <p>
          A tiny student, one seed and a few hundred pairs: a demonstration of the method, not evidence about language
          models. The loop is Algorithm 1 of <a href="https://arxiv.org/abs/2512.00884">Kessler et al., 2025</a>.
        </p>
      </footer>
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
