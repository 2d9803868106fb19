/** @file The buttons: one primary (Start, Pause, Resume), Step, New run; beside them what the page is doing. */
import type { VNode } from "preact";
import type { AppState, Pace } from "../../appState.ts";
import { hasRun, PACES, primaryAction } from "../../appState.ts";
import { ButtonGlyph } from "../../components/icons.tsx";
import type { RaceActions } from "../../raceActions.ts";
import { PHASE_LABELS } from "../../phaseText.ts";

/** One line on the whole page's state. */
export function statusText(state: AppState): string {
  const { crash, pending, raceState, stored } = state;
  if (crash !== null) return "Stopped: the worker is gone.";
  if (pending === "worker") return "Starting the worker…";
  if (pending === "engine" && state.download !== null)
    return state.download.subject === "engine" ? "Fetching the engine…" : "Fetching a model…";
  if (pending === "engine") return "Preparing engine and students…";
  if (pending === "pause") return "Pausing after the current batch…";
  if (pending === "stop" || pending === "storage") return "Putting the run away…";
  if (stored !== null) return "An unfinished run is waiting.";
  switch (raceState) {
    case "idle":
      return hasRun(state) ? "A kept run is shown. Start begins another, with the settings below." : readiness(state);
    case "ready":
      return "Ready to run.";
    case "running":
      return "Running.";
    case "stepping":
      return "Taking one phase.";
    case "paused":
      return "Paused.";
    case "done":
      return state.laneProblems.some((problem) => problem !== null) ? "Stopped: the lanes say why." : "Finished.";
    default:
      return raceState satisfies never;
  }
}

/** What a run of these settings would tell others. */
function readiness({ draft: { student, teacher } }: AppState): string {
  const fetched = student === "hub" || teacher === "transformers";
  const model = "A model is fetched from the hub unless this browser has it";
  if (teacher !== "solver" && teacher !== "transformers")
    return `Ready. Questions and answers go to and from the teacher's address. ${fetched ? `${model}.` : "Nothing else leaves this tab."}`;
  return fetched
    ? `Ready. ${model}; nothing else leaves this tab.`
    : "Ready. Nothing leaves this tab, and no key is needed.";
}

/** The status and where each lane is, for the live region: changes with phases, not with progress. */
export function announcement(state: AppState, labels: readonly string[]): string {
  const lanes = state.lanes.flatMap((lane, index) =>
    lane.run === null || lane.phase === null || lane.done
      ? []
      : [`${labels[index] ?? ""}: round ${lane.round}, ${PHASE_LABELS[lane.phase.phase]}.`],
  );
  return [statusText(state), ...lanes].join(" ");
}

/** The bar of buttons. `valid`: the settings can be run. */
export function Controls({
  state,
  actions,
  valid,
}: {
  readonly state: AppState;
  readonly actions: RaceActions;
  readonly valid: boolean;
}): VNode {
  const { action, label } = primaryAction(state);
  const { pending, crash, raceState } = state;
  const idle = pending === null && crash === null;
  const fresh = !hasRun(state);
  const mayStep =
    idle && raceState !== "running" && raceState !== "stepping" && raceState !== "done" && (!fresh || valid);
  return (
    <div class="controls">
      <div class="buttons" role="group" aria-label="Run">
        <Button
          class="primary play"
          glyph={action === "pause" ? "pause" : "play"}
          off={action === undefined || (action === "start" && !valid)}
          onPress={() => action !== undefined && actions[action]()}
        >
          {label}
        </Button>
        <Button glyph="step" off={!mayStep} title="Every lane takes one phase" onPress={() => actions.step()}>
          Step
        </Button>
        <Button off={!idle || fresh} title="Put this run away and begin another" onPress={() => actions.newRun()}>
          New run
        </Button>
      </div>
      <label class="pace">
        <span>Pace</span>
        <select value={state.pace} onChange={(event) => actions.setPace(event.currentTarget.value as Pace)}>
          {(Object.keys(PACES) as Pace[]).map((pace) => (
            <option key={pace} value={pace}>
              {PACES[pace].label}
            </option>
          ))}
        </select>
      </label>
      <p class="status">
        <span class={`lamp lamp-${lampOf(state)}`} aria-hidden="true" />
        {fresh && idle && !valid ? "Correct the marked settings to start." : statusText(state)}
      </p>
    </div>
  );
}

interface ButtonProps {
  readonly off: boolean;
  readonly onPress: () => void;
  readonly children: string;
  readonly glyph?: "play" | "pause" | "step";
  readonly class?: string;
  readonly title?: string;
}

/** A button that keeps the keyboard's focus while it is off: `disabled` would lose it at every press. */
function Button({ off, onPress, children, glyph, ...rest }: ButtonProps): VNode {
  return (
    <button type="button" aria-disabled={off} onClick={() => off || onPress()} {...rest}>
      {glyph !== undefined && <ButtonGlyph name={glyph} />}
      {children}
    </button>
  );
}

/** The colour and shape of the lamp beside the status. */
export function lampOf({ crash, pending, raceState }: AppState): "error" | "busy" | "on" | "off" {
  if (crash !== null) return "error";
  if (pending !== null) return "busy";
  return raceState === "running" || raceState === "stepping" ? "on" : "off";
}
