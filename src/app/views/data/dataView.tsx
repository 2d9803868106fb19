/** @file Every synthetic pair of a race as a table: where it came from, what the student made of its seed before and after, what became of it, what it cost. */
import type { VNode } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import type { AppState } from "../../appState.ts";
import { laneLabels } from "../../appState.ts";
import { formatInteger } from "../../format.ts";
import type { ViewProps } from "../registry.ts";
import type { DataController, DataState } from "./dataActions.ts";
import { dataOf, dataSlice } from "./dataActions.ts";
import { PairDetails } from "./pairDetails.tsx";
import { PairGrid } from "./pairGrid.tsx";
import { FATES, filterRows, sortRows } from "./pairTable.ts";
import type { LossKind, ShownRun, TableRow } from "./pairTable.ts";
import "./data.css";

/** The view. */
export function DataView({ state, page }: ViewProps): VNode {
  const actions = dataOf(page);
  const slice = dataSlice.of(state);
  const { rows, filters, sorting, lossKind, selected, done, problem } = slice;
  const ready = state.pending !== "worker" && state.crash === null;
  const kept = state.route.query.get("runs") ?? "";
  const version = versionOf(state);
  useEffect(() => {
    if (!ready) return;
    if (kept === "") void actions.load(runsOnPage(state));
    else void actions.loadKept(kept.split(",").filter((id) => id !== ""));
  }, [ready, kept, version]);
  const shown = useMemo(
    () => (rows === null ? [] : sortRows(filterRows(rows, filters), sorting, lossKind)),
    [rows, filters, sorting, lossKind],
  );
  const open = useMemo(() => rows?.find(({ key }) => key === selected), [rows, selected]);
  return (
    <>
      <section class="data-head" aria-labelledby="data-title">
        <div>
          <h2 class="view-title" id="data-title">
            Synthetic pairs
          </h2>
          <p class="lead">
            Each row is a question the teacher wrote after a seed that a strategy picked. Losses are the student's on
            that seed, in nats per token, when it was picked and a round later. Open a row to read it whole, correct it,
            or keep it out of training.
            {kept !== "" && (
              <>
                {" "}
                These are pairs of a kept run. <a href="#/data">Show those of the race on this page</a>.
              </>
            )}
          </p>
        </div>
        <div class="buttons">
          <button type="button" disabled={shown.length === 0} onClick={() => actions.save(shown, "csv")}>
            Save as CSV
          </button>
          <button type="button" disabled={shown.length === 0} onClick={() => actions.save(shown, "jsonl")}>
            Save as JSONL
          </button>
        </div>
      </section>
      <FilterLine slice={slice} actions={actions} />
      <p class="data-status note" role="status">
        {statusText(slice, shown, ready)}
        {done === null ? "" : ` ${done}`}
      </p>
      {problem !== null && open === undefined && (
        <div class="banner banner-error" role="alert">
          <p>{problem.message}</p>
          <p>{problem.advice}</p>
        </div>
      )}
      {rows !== null && rows.length === 0 && problem === null ? (
        <p class="empty">
          No pair yet. <a href="#/race">Start a race</a>: its pairs appear here as they are verified.
        </p>
      ) : (
        <PairGrid rows={shown} sorting={sorting} lossKind={lossKind} actions={actions} selected={selected} />
      )}
      {open !== undefined && (
        <PairDetails
          key={open.key}
          row={open}
          ended={endedOf(state, open)}
          saving={slice.saving}
          problem={problem}
          actions={actions}
        />
      )}
    </>
  );
}

/** The runs of the race on the page. */
function runsOnPage(state: AppState): readonly ShownRun[] {
  const labels: readonly string[] = laneLabels(state);
  return state.lanes.flatMap(({ run }, lane) =>
    run === null ? [] : [{ runId: run.runId, lane, name: labels[lane] ?? run.config.strategy.name }],
  );
}

/** Changes when a round's pairs are verified, seeds were scored anew, or somebody decided: not with every pair, of which there may be thousands to read. */
function versionOf({ lanes }: AppState): string {
  return lanes
    .map(({ run, rounds, phase, poolRound, interventions }) => {
      const verified = phase?.phase === "train" || (phase?.phase === "verify" && phase.state === "end");
      return [run?.runId, rounds.length, verified, poolRound, interventions].join();
    })
    .join(";");
}

/** Whether no training of the row's run follows, as far as the page knows. */
function endedOf({ lanes }: AppState, row: TableRow): boolean {
  return lanes.some(({ run, done }) => run?.runId === row.run.runId && done);
}

function statusText({ rows, filters }: DataState, shown: readonly TableRow[], ready: boolean): string {
  if (rows === null) return ready ? "Reading the pairs…" : "Waiting for the worker…";
  if (rows.length === 0) return "";
  const accepted = shown.filter(({ now }) => now.accepted).length;
  const all = shown.length === rows.length ? "" : ` of ${formatInteger(rows.length)}`;
  const filtered = Object.values(filters).some((value) => value !== "") ? " match" : "";
  return `${formatInteger(shown.length)}${all} pairs${filtered}, ${formatInteger(accepted)} of them accepted.`;
}

function FilterLine({ slice, actions }: { readonly slice: DataState; readonly actions: DataController }): VNode {
  const { rows, runs, filters, lossKind } = slice;
  const rounds = useMemo(() => [...new Set((rows ?? []).map(({ made }) => made.round))].sort((a, b) => a - b), [rows]);
  const filtered = Object.values(filters).some((value) => value !== "");
  return (
    <search class="filters">
      <label class="filter filter-search">
        <span>Search</span>
        <input
          type="search"
          value={filters.search}
          placeholder="words of question, answer, seed or reason"
          onInput={(event) => actions.filter({ search: event.currentTarget.value })}
        />
      </label>
      <Choice
        label="Lane"
        value={filters.lane}
        options={runs.map(({ runId, name }) => [runId, name] as const)}
        onChange={(lane) => actions.filter({ lane })}
      />
      <Choice
        label="Round"
        value={filters.round}
        options={rounds.map((round) => [String(round), String(round)] as const)}
        onChange={(round) => actions.filter({ round })}
      />
      <Choice
        label="Outcome"
        value={filters.fate}
        options={FATES.map((fate) => [fate, fate] as const)}
        onChange={(fate) => actions.filter({ fate })}
      />
      <label class="filter filter-loss">
        <span>Seed's loss on</span>
        <select
          value={lossKind}
          onChange={(event) =>
            actions.showLoss((event.currentTarget.value === "own" ? "own" : "true") satisfies LossKind)
          }
        >
          <option value="true">the worked answer</option>
          <option value="own">its own answer</option>
        </select>
      </label>
      {filtered && (
        <button type="button" class="quiet" onClick={() => actions.clearFilters()}>
          Show all
        </button>
      )}
    </search>
  );
}

function Choice({
  label,
  value,
  options,
  onChange,
}: {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [string, string])[];
  readonly onChange: (value: string) => void;
}): VNode {
  return (
    <label class="filter">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">all</option>
        {options.map(([key, text]) => (
          <option key={key} value={key}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
