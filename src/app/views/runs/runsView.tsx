/** @file Kept runs: what the browser has, what they came to side by side, and everything that can be done with one. */
import type { VNode } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { formatBytes, formatCount } from "../../format.ts";
import type { ViewProps } from "../registry.ts";
import { groupRuns } from "./keptRaces.ts";
import type { KeptRace } from "./keptRaces.ts";
import { RaceRow } from "./raceRow.tsx";
import { RunCurves } from "./runCurves.tsx";
import { MAX_COMPARED, runsOf, runsSlice } from "./runsActions.ts";
import type { RunsController, RunsState } from "./runsActions.ts";
import "./runs.css";

/** The view. */
export function RunsView({ state, page }: ViewProps): VNode {
  const actions = runsOf(page);
  const slice = runsSlice.of(state);
  const { runs, compared, rounds, busy, done, problem } = slice;
  const ready = state.pending !== "worker" && state.crash === null;
  const finishedRounds = state.lanes.reduce((sum, lane) => sum + lane.rounds.length, 0);
  useEffect(() => {
    if (ready) void actions.refresh();
  }, [ready, finishedRounds, state.raceState]);
  const races = useMemo(() => groupRuns(runs ?? []), [runs]);
  const shown = useMemo(() => races.filter(({ key }) => compared.includes(key)), [races, compared]);
  const curves = useMemo(() => (shown.length === 0 ? null : <RunCurves races={shown} rounds={rounds} />), [shown, rounds]);
  return (
    <>
      <section class="runs-head" aria-labelledby="runs-title">
        <div>
          <h2 class="view-title" id="runs-title">Runs kept in this browser</h2>
          <p class="lead">
            Every run is stored as it goes: reload the page, or come back tomorrow, and it resumes. Nothing leaves this
            device unless you export it.
          </p>
        </div>
        <div class="runs-tools">
          <Import actions={actions} />
          <Storage slice={slice} races={races} actions={actions} />
        </div>
      </section>
      <p class="runs-status note" role="status">
        {busy ?? done ?? ""}
      </p>
      {problem !== null && (
        <div class="banner banner-error" role="alert">
          <p>{problem.message}</p>
          <p>{problem.advice}</p>
          <button type="button" onClick={() => actions.dismiss()}>
            Dismiss
          </button>
        </div>
      )}
      {curves !== null && (
        <section class="panel" aria-labelledby="compare-title">
          <h2 id="compare-title">Compared</h2>
          {curves}
        </section>
      )}
      {runs === null ? (
        <p class="empty">{ready ? "Reading the runs…" : "Waiting for the worker…"}</p>
      ) : races.length === 0 ? (
        <p class="empty">
          No run is kept yet. <a href="#/race">Start a race</a>, or import a file that was exported elsewhere.
        </p>
      ) : (
        <>
          <ul class="races" aria-label="Kept runs, newest first">
            {races.map((race) => (
              <RaceRow
                key={race.key}
                race={race}
                slice={slice}
                open={isOpen(race, state.race?.lanes.map(({ runId }) => runId))}
                waiting={state.pending !== null || busy !== null}
                actions={actions}
              />
            ))}
          </ul>
          <p class="note">
            {formatCount(races.length, "run")}. Tick up to {MAX_COMPARED} to see their curves in one plot.
          </p>
        </>
      )}
    </>
  );
}

function isOpen({ lanes }: KeptRace, open: readonly string[] | undefined): boolean {
  return lanes.some(({ manifest }) => open?.includes(manifest.runId) === true);
}

function Import({ actions }: { readonly actions: RunsController }): VNode {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <input
        ref={input}
        class="hidden"
        type="file"
        accept=".zip,application/zip"
        tabIndex={-1}
        aria-label="File of an exported run"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          if (file !== undefined) actions.import(file);
          // The same file can be chosen again.
          event.currentTarget.value = "";
        }}
      />
      <button type="button" onClick={() => input.current?.click()}>
        Import a run…
      </button>
    </>
  );
}

function Storage({
  slice: { usedBytes, quotaBytes, persisted },
  races,
  actions,
}: {
  readonly slice: RunsState;
  readonly races: readonly KeptRace[];
  readonly actions: RunsController;
}): VNode | null {
  if (usedBytes === null) return null;
  const students = races.reduce((sum, { checkpointBytes }) => sum + checkpointBytes, 0);
  const of = quotaBytes === null ? "" : ` of ${formatBytes(quotaBytes)} that the browser allows`;
  return (
    <div class="storage">
      <p>
        <span class="storage-used">{formatBytes(usedBytes)}</span> used{of}; {formatBytes(students)} of it are weights of
        these runs.
      </p>
      {quotaBytes !== null && (
        <meter min={0} max={quotaBytes} high={0.8 * quotaBytes} value={usedBytes} aria-label="Storage used">
          {formatBytes(usedBytes)}
        </meter>
      )}
      {persisted === false && (
        <p class="note">
          A browser short of disk may drop them.{" "}
          <button type="button" class="link" onClick={() => void actions.persist()}>
            Ask it to keep them
          </button>
        </p>
      )}
    </div>
  );
}
