/** @file The loop as a diagram: six phases in a ring, lit where a lane is, and a line per lane that says what it is doing with its numbers. */
import type { VNode } from "preact";
import { Glyph, LaneMark } from "../../components/icons.tsx";
import type { LaneState } from "../../laneState.ts";
import type { PhaseMark } from "../../phaseText.ts";
import {
  nextPhase,
  PHASE_HELP,
  PHASE_LABELS,
  PHASES,
  phaseFraction,
  phaseMarks,
  phaseSentence,
  roundLabel,
} from "../../phaseText.ts";

const MARK_TEXT = { waiting: "not yet", active: "now", here: "just done", done: "done" } as const;

export interface LoopDiagramProps {
  readonly lanes: readonly LaneState[];
  readonly labels: readonly string[];
}

/** The ring and the lanes' lines. */
export function LoopDiagram({ lanes, labels }: LoopDiagramProps): VNode {
  const marks = lanes.map((lane) => (lane.done ? PHASES.map(() => "done" as const) : phaseMarks(lane)));
  return (
    <section class="loop" aria-labelledby="loop-title">
      <h2 id="loop-title" class="hidden">
        The loop
      </h2>
      <ol class="ring" aria-label="Phases of a round">
        {PHASES.map((phase, index) => {
          const at = (mark: PhaseMark): readonly number[] =>
            lanes.flatMap((_, lane) => (marks[lane]?.[index] === mark ? [lane] : []));
          const active = at("active");
          const here = [...active, ...at("here")].sort((a, b) => a - b);
          const done = lanes.length > 0 && marks.every((lane) => lane[index] === "done");
          const mark = active.length > 0 ? "active" : here.length > 0 ? "here" : done ? "done" : "waiting";
          return (
            <li
              key={phase}
              class={`phase phase-${mark}`}
              title={`${PHASE_LABELS[phase]}: ${PHASE_HELP[phase]}`}
              {...(mark === "active" ? { "aria-current": "step" as const } : {})}
            >
              <span class="phase-number" aria-hidden="true">
                {index + 1}
              </span>
              <span class="phase-name">{PHASE_LABELS[phase]}</span>
              <span class="phase-lanes" aria-hidden="true">
                {here.map((lane) => (
                  <span key={lane} class={`lane-${lane}`}>
                    <Glyph size={12}>
                      <LaneMark lane={lane} x={0} y={0} size={9} />
                    </Glyph>
                  </span>
                ))}
              </span>
              <span class="hidden">, {MARK_TEXT[mark]}</span>
            </li>
          );
        })}
      </ol>
      <ul class="lane-lines" aria-label="What each lane is doing">
        {lanes.map((lane, index) => (
          <LaneLine key={index} index={index} lane={lane} label={labels[index] ?? ""} />
        ))}
      </ul>
    </section>
  );
}

function LaneLine({
  index,
  lane,
  label,
}: {
  readonly index: number;
  readonly lane: LaneState;
  readonly label: string;
}): VNode {
  const fraction = phaseFraction(lane);
  const next = nextPhase(lane);
  const active = lane.phase !== null && lane.phase.state !== "end" && !lane.done;
  return (
    <li class={`lane-line lane-${index}`}>
      <p class="lane-line-head">
        <Glyph size={14}>
          <LaneMark lane={index} x={0} y={0} size={10} />
        </Glyph>
        <strong>{label}</strong>
        {lane.run !== null && <span class="round-label">{roundLabel(lane)}</span>}
      </p>
      <p class="phase-sentence">
        {phaseSentence(lane)}
        {next !== undefined && <span class="next-phase"> Next: {PHASE_LABELS[next]}.</span>}
      </p>
      <div class="progress">
        {active && fraction !== undefined ? (
          <progress aria-label={`Progress of the phase, ${label}`} max={1} value={fraction} />
        ) : (
          <span class="progress-empty" />
        )}
      </div>
    </li>
  );
}
