/**
 * @file A study's report as a component: what the self-contained HTML file and the page both
 * show. Pure: props to markup, no state, no effects, no width of its own. Styles: `STUDY_REPORT_CSS`,
 * which reads the page's colour tokens and has its own where there are none.
 */
import type { VNode } from "preact";
import type { Comparison, StudyReportData } from "../study/reportSchema.ts";
import { CurvePanels, AXIS_TITLES, type CurveAxisName } from "./curvePanels.tsx";
import { FidelityPlot } from "./fidelityPlot.tsx";
import { ForestPlot } from "./forestPlot.tsx";
import {
  CurveTable,
  DiagnosticsTable,
  DifferenceTable,
  FidelityTable,
  LevelTable,
  PairTable,
  ResultTable,
  TargetTable,
} from "./tables.tsx";
import { WinTable } from "./winTable.tsx";

/** Everything that a report says. `level`: heading level of its title, 1 in a document of its own. */
export function StudyReport({
  report,
  level = 1,
}: {
  readonly report: StudyReportData;
  readonly level?: 1 | 2 | 3;
}): VNode {
  const { runs, comparisons, overall, cautions } = report;
  return (
    <article class="study-report">
      <Heading level={level}>{`Study “${report.name}”`}</Heading>
      <p>
        {runs.finished} of {runs.planned} runs finished: {list(report.tasks, "task", "tasks")} ×{" "}
        {list(report.strategies, "strategy", "strategies")} × {list(report.options, "option", "options")} ×{" "}
        {list(report.seeds.map(String), "seed", "seeds")}. Runs of one seed share questions, student and budget, and are
        compared pairwise. Intervals: {Math.round(100 * report.confidence)} %, percentile bootstrap over runs (
        {report.resamples} resamples). p: two-sided sign-flip permutation test of paired differences; corrected by Holm
        within its table. The reference is {report.reference}.
      </p>
      {cautions.length > 0 && (
        <ul class="sr-cautions">
          {cautions.map((caution) => (
            <li key={caution}>{caution}</li>
          ))}
        </ul>
      )}
      {runs.others.length > 0 && (
        <details open={runs.others.some(({ state }) => state === "failed")}>
          <summary>{runs.others.length} runs without a result</summary>
          <ul>
            {runs.others.map(({ id, state, message }) => (
              <li key={id}>
                <code>{id}</code>: {state}
                {message === "" ? "" : `, ${message}`}
              </li>
            ))}
          </ul>
        </details>
      )}
      {overall.map(({ option, tasks, versusReference, matches }) => (
        <section key={option}>
          <Heading level={level + 1}>{`All tasks${optionText(report, option)}`}</Heading>
          <DifferenceTable rows={versusReference} reference={report.reference} />
          <ForestPlot rows={versusReference} title={`at the end, minus ${report.reference}`} />
          <p>
            Each cell: wins–ties–losses of the row against the column over pairs of runs of the same task and seed (
            {tasks.join(", ")}). An asterisk: the corrected p is under 0.05.
          </p>
          <WinTable names={report.strategies} pairs={matches.last} caption="By accuracy at the end" />
          <WinTable names={report.strategies} pairs={matches.mean} caption="By mean accuracy over the rounds" />
        </section>
      ))}
      {comparisons.map((comparison) => (
        <ComparisonSection
          key={`${comparison.task} ${comparison.option}`}
          report={report}
          comparison={comparison}
          level={level + 1}
        />
      ))}
      <p class="sr-soft">
        Made by Tutelage {report.version} on {report.engines.length === 0 ? "no engine" : report.engines.join("; ")}.
      </p>
    </article>
  );
}

function ComparisonSection({
  report,
  comparison,
  level,
}: {
  readonly report: StudyReportData;
  readonly comparison: Comparison;
  readonly level: number;
}): VNode {
  const { reference } = report;
  const rows = comparison.strategies.flatMap(({ name, versusReference }) =>
    versusReference === null ? [] : [{ name, difference: versusReference }],
  );
  const axes = (["teacherTokens", "costUsd", "wallSeconds"] as const).filter((axis) =>
    comparison.strategies.some(({ curve }) => curve.some((point) => point[axis] > 0)),
  );
  const scored = comparison.strategies.filter(({ fidelity }) => fidelity !== null);
  return (
    <section>
      <Heading level={level}>{`${comparison.task}${optionText(report, comparison.option)}`}</Heading>
      <p>
        Accuracy of exact final answers on {comparison.questions} {comparison.split} questions, seeds{" "}
        {comparison.seeds.join(", ")}.
      </p>
      <ResultTable comparison={comparison} />
      {rows.length > 0 && <ForestPlot rows={rows} title={`at the end, minus ${reference}`} />}
      {comparison.strategies.some(({ byLevel }) => byLevel.length > 1) && (
        <Fold title="By level of difficulty">
          <LevelTable comparison={comparison} />
        </Fold>
      )}
      <Heading level={level + 1}>Learning curves</Heading>
      <CurvePanels comparison={comparison} reference={reference} axis="examples" />
      <Fold title="The numbers of the curves">
        <CurveTable comparison={comparison} />
      </Fold>
      {axes.map((axis: CurveAxisName) => (
        <Fold key={axis} title={`Against ${AXIS_TITLES[axis]}`}>
          <CurvePanels comparison={comparison} reference={reference} axis={axis} />
        </Fold>
      ))}
      {comparison.targets.length > 0 && (
        <>
          <Heading level={level + 1}>Data efficiency</Heading>
          <TargetTable comparison={comparison} reference={reference} />
        </>
      )}
      <Heading level={level + 1}>Who beats whom</Heading>
      <WinTable
        names={report.strategies}
        pairs={comparison.matches.last}
        caption="By accuracy at the end: wins–ties–losses of the row over the seeds; * corrected p under 0.05"
      />
      <Fold title="By mean accuracy over the rounds">
        <WinTable
          names={report.strategies}
          pairs={comparison.matches.mean}
          caption="By mean accuracy over the rounds"
        />
      </Fold>
      <Fold title="Differences and tests of all pairs">
        <PairTable comparison={comparison} />
      </Fold>
      <Heading level={level + 1}>Why</Heading>
      <DiagnosticsTable comparison={comparison} />
      {scored.length > 0 && (
        <>
          <Heading level={level + 1}>Do questions keep what their seeds were picked for?</Heading>
          <FidelityTable comparison={comparison} />
          <div class="sr-panels">
            {scored.map((strategy) => (
              <FidelityPlot key={strategy.name} strategy={strategy} />
            ))}
          </div>
        </>
      )}
    </section>
  );
}

function Fold({ title, children }: { readonly title: string; readonly children: VNode }): VNode {
  return (
    <details>
      <summary>{title}</summary>
      {children}
    </details>
  );
}

function Heading({ level, children }: { readonly level: number; readonly children: string }): VNode {
  switch (level) {
    case 1:
      return <h1>{children}</h1>;
    case 2:
      return <h2>{children}</h2>;
    case 3:
      return <h3>{children}</h3>;
    case 4:
      return <h4>{children}</h4>;
    default:
      return <h5>{children}</h5>;
  }
}

/** An option is worth a word where there are several. */
function optionText(report: StudyReportData, option: string): string {
  return report.options.length > 1 ? `, ${option}` : "";
}

function list(names: readonly string[], one: string, many: string): string {
  return `${names.length} ${names.length === 1 ? one : many} (${names.join(", ")})`;
}
