/** @file What went wrong or waits for an answer, as text with what to do. */
import type { VNode } from "preact";
import type { AppState } from "../appState.ts";
import type { DownloadProgress } from "../../hub/types.ts";
import type { Page } from "../controller.ts";
import { LessMemoryButton } from "../components/lessMemoryButton.tsx";
import { formatBytes } from "../format.ts";
import { lessMemoryOf } from "../lessMemory.ts";
import { OFFLINE } from "../offline.ts";

/** A newer version, crash, problem, download, stored run, in this order; nothing when all is well. */
export function Banners({ state, page }: { readonly state: AppState; readonly page: Page }): VNode {
  const { crash, problem, stored, pending, download } = state;
  return (
    <div class="banners">
      {OFFLINE.of(state).updateWaits && (
        <div class="banner" role="status">
          <p>
            <strong>A newer version of this page is here.</strong> Loading it ends what runs; the run goes on from its
            last stored step.
          </p>
          <button type="button" onClick={() => page.offline.update()}>
            Load it
          </button>
        </div>
      )}
      {crash !== null && (
        <div class="banner banner-error" role="alert">
          <p>
            <strong>The worker that trains has stopped.</strong> {crash.message}
          </p>
          <p>{crash.advice}</p>
          <button type="button" class="primary" onClick={() => page.race.restart()}>
            Restart
          </button>
          <OutOfMemory state={state} page={page} />
        </div>
      )}
      {problem !== null && (
        <div class="banner banner-error" role="alert">
          <p>{problem.message}</p>
          <p>{problem.advice}</p>
          <div class="buttons">
            {problem.remedy !== "dismiss" && (
              <button type="button" class="primary" onClick={() => page.race.restart()}>
                Restart
              </button>
            )}
            <button type="button" onClick={() => page.dismissProblem()}>
              Dismiss
            </button>
          </div>
        </div>
      )}
      {download !== null && crash === null && (
        <Download progress={download} onCancel={() => page.race.cancelDownload()} />
      )}
      {stored !== null && crash === null && (
        <div class="banner" role="status">
          <p>
            <strong>
              {stored.elsewhere ? "An unfinished run is open in another tab" : "An unfinished run is here"}
            </strong>
            , begun {formatDate(stored.createdAt)}, {roundsText(stored.lastRound, stored.rounds)}.{" "}
            {stored.elsewhere
              ? "One tab works on a run: go on there, or close that tab and resume here. New run begins another."
              : "Resume goes on from its last stored step; no teacher call is made twice."}
          </p>
          <button
            type="button"
            disabled={pending !== null || stored.elsewhere}
            onClick={() => page.race.discardStored()}
          >
            Discard it
          </button>
          {!stored.elsewhere && <OutOfMemory state={state} page={page} />}
        </div>
      )}
    </div>
  );
}

/** For a run whose tab or worker died before it could say why. */
function OutOfMemory({ state, page }: { readonly state: AppState; readonly page: Page }): VNode | null {
  const { lanes, pending } = state;
  if (lanes.every((lane) => lessMemoryOf(lane) === undefined)) return null;
  return (
    <details>
      <summary>Did it run out of memory?</summary>
      <LessMemoryButton lanes={lanes} off={pending !== null} onPress={() => page.race.resumeInLess()} />
    </details>
  );
}

function Download({
  progress: { id, subject, path, loadedBytes, totalBytes, bytesPerSecond },
  onCancel,
}: {
  readonly progress: DownloadProgress;
  readonly onCancel: () => void;
}): VNode {
  return (
    <div class="banner download">
      <p>
        <label for="download-progress">
          <strong>Fetching {subject === "engine" ? `the engine, ${id}` : id}</strong>
        </label>{" "}
        {formatBytes(loadedBytes)} of {formatBytes(totalBytes)}, {formatBytes(bytesPerSecond)}/s
      </p>
      <progress id="download-progress" max={Math.max(1, totalBytes)} value={loadedBytes} />
      <p class="note">
        {path}.{" "}
        {subject === "engine"
          ? "It computes in this tab. The browser keeps it for the next visit."
          : "What has arrived is kept in this browser and checked before it is used."}
      </p>
      <button type="button" onClick={onCancel}>
        Cancel
      </button>
    </div>
  );
}

function roundsText(last: number, rounds: number): string {
  return last < 0 ? "not a round finished" : `round ${last} of ${rounds} finished`;
}

function formatDate(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? "at an unknown time" : date.toLocaleString();
}
