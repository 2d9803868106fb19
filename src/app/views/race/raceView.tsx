/** @file The race: students of one base, seed and budget that differ in who picks what is asked. First screen of the page. */
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { RARE_KINDS } from "../../../tasks/rareKinds.ts";
import { hasRun, laneLabels, laneStrategies, shownLanes } from "../../appState.ts";
import { Glyph, LaneMark } from "../../components/icons.tsx";
import { formatCount } from "../../format.ts";
import { LearningCurve } from "../../plots/learningCurve.tsx";
import { RARE_KIND } from "../../presets.ts";
import { withDrawer } from "../../route.ts";
import { checkSettings, hasRareKind, LANE_SETTINGS, lanesOf, summarizeDraft } from "../../settings.ts";
import type { ViewProps } from "../registry.ts";
import { Controls } from "./controls.tsx";
import { Findings, HowItWorks, RoundTable } from "./findings.tsx";
import { LaneView } from "./laneView.tsx";
import { LoopDiagram } from "./loopDiagram.tsx";
import { PoolToolbar, usePoolAxes } from "./pool/poolToolbar.tsx";

/** The race. */
export function RaceView({ state, page }: ViewProps): VNode {
  const { draft } = state;
  const started = hasRun(state);
  const lanes = shownLanes(state);
  const labels = laneLabels(state);
  const strategies = laneStrategies(state);
  const run = lanes.find((lane) => lane.run !== null)?.run ?? null;
  const checked = useMemo(() => checkSettings(draft), [draft]);
  // Rounds change once a round: what is made of them is kept until then.
  const curves = useMemo(
    () => lanes.map(({ rounds }, index) => ({ label: labels[index] ?? "", rounds })),
    [
      labels.join(),
      ...lanes.map(({ rounds }) => rounds),
      ...Array.from({ length: LANE_SETTINGS.length - lanes.length }),
    ],
  );
  const budget = run === null ? plannedBudget(checked) : run.config.rounds * run.config.querySize * run.config.perSeed;
  const curve = useMemo(() => <LearningCurve lanes={curves} budget={budget} />, [curves, budget]);
  // What is set up for a student or questions of the visitor's own is not put away for a preset.
  const builtIn = draft.student === "built-in" && hasRareKind(draft.task);
  const offered = builtIn && lanes.every(({ done, run: own }) => done && own?.config.task.poolMixture === undefined);
  const findings = useMemo(() => {
    const setUpRareKind = (): void => {
      page.setUp.applyPreset({ ...RARE_KIND, task: draft.task });
      page.race.newRun();
    };
    return <Findings lanes={curves} onRareKind={offered ? setUpRareKind : undefined} />;
  }, [curves, offered, draft.task, page]);
  const table = useMemo(() => <RoundTable lanes={curves} />, [curves]);
  const axes = usePoolAxes(state, page, lanes);
  const rare = draft.mixture === "rare" ? RARE_KINDS[draft.task] : undefined;
  const evaluation = lanes.find(({ rounds }) => rounds.length > 0)?.rounds.at(-1)?.evaluation;
  const asked = lanesOf(draft);
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
      {!started && (
        <p class="race-lead">
          {COUNTS[lanes.length] ?? "Several"} copies of one small language model start equal, with the same{" "}
          {draft.teacher === "none" ? "questions" : "teacher"} and the same budget. They differ only in how the
          questions to learn from are picked: <strong>{strategies.join(" against ")}</strong>. Press Start to see
          whether it matters, or Step to watch one phase at a time.
          {rare !== undefined && ` One seed in ten is like the test questions: ${rare.about}.`}
        </p>
      )}
      <LoopDiagram lanes={lanes} labels={labels} />
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
      <section class="pools" aria-labelledby="pools-title">
        <PoolToolbar state={state} page={page} axes={axes} />
        <div class="lanes">
          {lanes.map((lane, index) => {
            const setting = started ? undefined : asked[index];
            return (
              <LaneView
                key={index}
                index={index}
                label={labels[index] ?? ""}
                strategy={strategies[index] ?? ""}
                lane={lane}
                problem={state.laneProblems[index] ?? null}
                page={page}
                axes={axes}
                open={state.race !== null}
                onStrategy={setting === undefined ? undefined : (name) => page.setUp.changeSetting(setting, name)}
                onRemove={
                  setting === undefined || index < 2 || index < asked.length - 1
                    ? undefined
                    : () => page.setUp.changeSetting(setting, "")
                }
              />
            );
          })}
        </div>
        {!started && asked.length < LANE_SETTINGS.length && (
          <button
            type="button"
            class="add-lane"
            onClick={() => {
              const next = LANE_SETTINGS[asked.length];
              if (next !== undefined) page.setUp.changeSetting(next, NEXT_STRATEGIES[asked.length] ?? "entropy");
            }}
          >
            Add a lane
          </button>
        )}
      </section>
    </>
  );
}

const COUNTS: readonly (string | undefined)[] = [undefined, "One", "Two", "Three", "Four"];

/** What a new lane picks by, by its place. */
const NEXT_STRATEGIES: readonly string[] = ["random", "own-loss", "true-loss", "entropy"];

/** An axis to look at while the settings are being corrected. */
const UNKNOWN_BUDGET = 100;

function plannedBudget(checked: ReturnType<typeof checkSettings>): number {
  if (!checked.ok) return UNKNOWN_BUDGET;
  const { rounds, querySize, perSeed } = checked.settings;
  return rounds * querySize * perSeed;
}
