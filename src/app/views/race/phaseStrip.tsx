/** @file The six phases of a lane's round, the current one lit, with a sentence and its progress. */
import type { VNode } from "preact";
import type { LaneState } from "../../laneState.ts";
import { PHASE_HELP, PHASE_LABELS, PHASES, phaseFraction, phaseMarks, phaseSentence } from "../../phaseText.ts";

const MARK_TEXT = { waiting: "not yet", active: "now", done: "done" } as const;

/** Strip, sentence and progress bar of a lane. */
export function PhaseStrip({ lane, label }: { readonly lane: LaneState; readonly label: string }): VNode {
  const marks = phaseMarks(lane);
  const fraction = phaseFraction(lane);
  const active = marks.includes("active") && !lane.done;
  return (
    <div class="phases">
      <ol class="phase-strip" aria-label={`Phases of ${label}`}>
        {PHASES.map((phase, index) => {
          const mark = lane.done ? "done" : (marks[index] ?? "waiting");
          return (
            <li
              key={phase}
              class={`phase phase-${mark}`}
              title={`${PHASE_LABELS[phase]}: ${PHASE_HELP[phase]}`}
              {...(mark === "active" ? { "aria-current": "step" as const } : {})}
            >
              <span class="phase-name">{PHASE_LABELS[phase]}</span>
              <span class="hidden">, {MARK_TEXT[mark]}</span>
            </li>
          );
        })}
      </ol>
      <p class="phase-sentence">{phaseSentence(lane)}</p>
      <div class={`progress${active ? "" : " progress-idle"}`}>
        {active && fraction !== undefined ? (
          <progress aria-label={`Progress of the phase, ${label}`} max={1} value={fraction} />
        ) : (
          <span class="progress-empty" />
        )}
      </div>
    </div>
  );
}
