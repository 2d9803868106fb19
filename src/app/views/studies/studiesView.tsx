/** @file Studies: many races compared. A report of the terminal is opened here, a small grid is run here; both are drawn by the same component as the report's HTML file, and every figure and table can be taken away. */
import type { VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { StudyReport } from "../../../charts/studyReport.tsx";
import { STUDY_REPORT_CSS } from "../../../charts/studyReportCss.ts";
import { messageOf } from "../../../core/errors.ts";
import type { StudyReportData } from "../../../study/reportSchema.ts";
import type { Page } from "../../controller.ts";
import { STRATEGIES } from "../../choices.ts";
import { formatCount } from "../../format.ts";
import { withDrawer } from "../../route.ts";
import { checkSettings, summarizeDraft } from "../../settings.ts";
import type { ViewProps } from "../registry.ts";
import { EXAMPLE_REPORTS } from "./exampleReports.ts";
import type { ExampleReport } from "./exampleReports.ts";
import "./studies.css";
import { GRID_LIMITS, gridProblem, StudiesController, STUDIES } from "./studyActions.ts";
import { fileName, pngBytes, pointsCsv, svgText, tableCsv } from "./takeAway.ts";

/** One controller a page: a grid goes on while other views are shown. */
const controllers = new WeakMap<Page, StudiesController>();

function controllerOf(page: Page): StudiesController {
  const made = controllers.get(page) ?? new StudiesController(page.store, page.link);
  controllers.set(page, made);
  return made;
}

/** The view. */
export function StudiesView({ state, page }: ViewProps): VNode {
  const actions = controllerOf(page);
  const { report, source, problem } = STUDIES.of(state);
  return (
    <div class="studies">
      <style>{STUDY_REPORT_CSS}</style>
      <header>
        <h2 class="view-title">Studies</h2>
        <p class="lead">
          One race says little: another seed may turn it round. A study repeats it over seeds and compares the
          strategies in pairs.
        </p>
      </header>
      <div class="studies-ways">
        <OpenReport
          onFile={(file) => void actions.openReport(file)}
          onExample={(example) => void actions.openExample(example)}
        />
        <RunGrid state={state} page={page} actions={actions} />
      </div>
      {problem !== "" && (
        <p class="banner banner-error" role="alert">
          {problem}
        </p>
      )}
      {report !== null && <ReportView key={source} report={report} source={source} page={page} />}
    </div>
  );
}

function OpenReport({
  onFile,
  onExample,
}: {
  readonly onFile: (file: File) => void;
  readonly onExample: (example: ExampleReport) => void;
}): VNode {
  const [over, setOver] = useState(false);
  const take = (files: FileList | null | undefined): void => {
    const file = files?.[0];
    if (file !== undefined) onFile(file);
  };
  return (
    <section
      class={`studies-way ${over ? "drop-over" : ""}`}
      aria-labelledby="open-title"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer?.files);
      }}
    >
      <h3 id="open-title">Open a report</h3>
      <p>
        <code>tutelage study STUDY.json</code> writes one: drop its <code>report.json</code> here, or choose it. It is
        read in this tab and goes nowhere.
      </p>
      <label class="hidden" for="study-file">
        A study's report.json
      </label>
      <input id="study-file" type="file" accept=".json" onChange={(event) => take(event.currentTarget.files)} />
      <h4 id="examples-title">Or one of ours</h4>
      <ul class="studies-examples" aria-labelledby="examples-title">
        {EXAMPLE_REPORTS.map((example) => (
          <li key={example.title}>
            <button type="button" onClick={() => onExample(example)}>
              {example.title}
            </button>
            <span class="note">{example.about}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function RunGrid({ state, actions }: ViewProps & { readonly actions: StudiesController }): VNode {
  const { grid, running } = STUDIES.of(state);
  const checked = useMemo(() => checkSettings(state.draft), [state.draft]);
  const settings = checked.ok ? checked.settings : undefined;
  const problem = gridProblem(grid, settings);
  const toggle = (name: string, on: boolean): void =>
    actions.setGrid({
      strategies: Object.keys(STRATEGIES).filter((one) => (one === name ? on : grid.strategies.includes(one))),
    });
  const full = grid.strategies.length >= GRID_LIMITS.strategies;
  return (
    <section class="studies-way" aria-labelledby="grid-title">
      <h3 id="grid-title">Run a small one in this tab</h3>
      <p>
        The settings of <a href={withDrawer(state.route, "setup")}>Set up</a> ({summarizeDraft(state.draft)}), with each
        strategy and seed. The first strategy in the list is the reference.
      </p>
      <fieldset class="studies-strategies" disabled={running !== null}>
        <legend>Strategies, up to {GRID_LIMITS.strategies}</legend>
        {Object.entries(STRATEGIES).map(([name, about]) => {
          const on = grid.strategies.includes(name);
          return (
            <label key={name} title={about}>
              <input
                type="checkbox"
                checked={on}
                disabled={!on && full}
                onChange={(event) => toggle(name, event.currentTarget.checked)}
              />{" "}
              {name}
            </label>
          );
        })}
      </fieldset>
      <label class="studies-seeds">
        Seeds{" "}
        <select
          value={String(grid.seeds)}
          disabled={running !== null}
          onChange={(event) => actions.setGrid({ seeds: Number(event.currentTarget.value) })}
        >
          {Array.from({ length: GRID_LIMITS.seeds }, (_, index) => (
            <option key={index} value={String(index + 1)}>
              {index + 1}
            </option>
          ))}
        </select>
      </label>
      {running === null ? (
        <>
          <div>
            <button type="button" disabled={problem !== undefined} onClick={() => void actions.run()}>
              Run {formatCount(grid.strategies.length * grid.seeds, "run")}
            </button>
          </div>
          <p class={problem === undefined ? "note" : "field-error"}>
            {problem ??
              "They run in a worker of their own and are kept like any other run. This tab must stay open. Fewer than five seeds show little. Only the built-in teacher, or none: a grid asks a chat model thousands of times, which the terminal does with ceilings, cache and resume."}
          </p>
        </>
      ) : (
        <div class="studies-progress">
          <label for="study-progress">
            {formatCount(running.done, "race")} of {running.total} finished; now {running.at}
          </label>
          <progress id="study-progress" max={running.total} value={running.done} />
          <button type="button" onClick={() => actions.stop()}>
            Stop
          </button>
        </div>
      )}
    </section>
  );
}

interface Part {
  readonly title: string;
  readonly element: SVGSVGElement | HTMLTableElement;
}

function ReportView({
  report,
  source,
  page,
}: {
  readonly report: StudyReportData;
  readonly source: string;
  readonly page: Page;
}): VNode {
  const ref = useRef<HTMLDivElement>(null);
  const [parts, setParts] = useState<readonly Part[]>([]);
  useEffect(() => setParts(ref.current === null ? [] : partsOf(ref.current)), [report]);
  const body = useMemo(() => <StudyReport report={report} level={2} />, [report]);
  return (
    <section class="studies-report" aria-label="Report">
      <TakeAway report={report} source={source} parts={parts} page={page} />
      <div ref={ref}>{body}</div>
    </section>
  );
}

/** Figures and tables in their order, each with a title. */
function partsOf(root: HTMLElement): readonly Part[] {
  return [...root.querySelectorAll<SVGSVGElement | HTMLTableElement>("svg[viewBox], table")].map((element, index) => {
    const title =
      element instanceof HTMLTableElement
        ? (element.caption?.textContent ?? `Table ${index + 1}`)
        : (element.getAttribute("aria-label") ?? `Figure ${index + 1}`);
    return { title: title.length <= 80 ? title : `${title.slice(0, 79)}…`, element };
  });
}

function TakeAway({
  report,
  source,
  parts,
  page,
}: {
  readonly report: StudyReportData;
  readonly source: string;
  readonly parts: readonly Part[];
  readonly page: Page;
}): VNode {
  const [chosen, setChosen] = useState(0);
  const part = parts[chosen];
  const figure = part?.element instanceof SVGSVGElement ? part.element : undefined;
  const table = part?.element instanceof HTMLTableElement ? part.element : undefined;
  const save = (name: string, text: string): void => page.saveFile(name, new TextEncoder().encode(text));
  const savePng = async (element: SVGSVGElement, title: string): Promise<void> => {
    try {
      page.saveFile(fileName(title, "png"), await pngBytes(element));
    } catch (error) {
      STUDIES.change(page.store, (state) => ({ ...state, problem: messageOf(error) }));
    }
  };
  return (
    <div class="studies-take">
      <p class="note">Report: {source}</p>
      <div class="buttons">
        <label class="hidden" for="study-part">
          Figure or table
        </label>
        <select
          id="study-part"
          value={String(chosen)}
          onChange={(event) => setChosen(Number(event.currentTarget.value))}
        >
          {parts.map(({ title, element }, index) => (
            <option key={index} value={String(index)}>
              {element instanceof HTMLTableElement ? "Table: " : "Figure: "}
              {title}
            </option>
          ))}
        </select>
        <button
          type="button"
          disabled={figure === undefined}
          onClick={() => figure !== undefined && save(fileName(part?.title ?? "", "svg"), svgText(figure))}
        >
          SVG
        </button>
        <button
          type="button"
          disabled={figure === undefined}
          onClick={() => figure !== undefined && void savePng(figure, part?.title ?? "")}
        >
          PNG
        </button>
        <button
          type="button"
          disabled={table === undefined}
          onClick={() => table !== undefined && save(fileName(part?.title ?? "", "csv"), tableCsv(table))}
        >
          CSV
        </button>
        <button type="button" onClick={() => save("points.csv", pointsCsv(report))}>
          All points as CSV
        </button>
        <button type="button" onClick={() => save("report.json", `${JSON.stringify(report, null, 2)}\n`)}>
          report.json
        </button>
      </div>
    </div>
  );
}
