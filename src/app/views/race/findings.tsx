/** @file What the run measured so far, in words and as a table; before a run, what a round is. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { LaneRounds } from "../../comparison.ts";
import { describeGaps } from "../../comparison.ts";
import { formatNats, formatPercent } from "../../format.ts";
import { PHASE_HELP, PHASE_LABELS, PHASES } from "../../phaseText.ts";

/** How one round goes. */
export function HowItWorks(): VNode {
  return (
    <section class="how" aria-labelledby="how-title">
      <h2 id="how-title">One round</h2>
      <ol>
        {PHASES.map((phase) => (
          <li key={phase}>
            <strong>{PHASE_LABELS[phase]}</strong>: {PHASE_HELP[phase]}.
          </li>
        ))}
      </ol>
    </section>
  );
}

export interface FindingsProps {
  readonly lanes: readonly LaneRounds[];
  /** Sets up a race in which a rare kind is asked; undefined where that is no way to go on. */
  readonly onRareKind?: (() => void) | undefined;
}

/** The gap between the lanes, with its uncertainty. */
export function Findings({ lanes, onRareKind }: FindingsProps): VNode {
  const gaps = describeGaps(lanes);
  return (
    <section class="findings" aria-labelledby="findings-title">
      <h2 id="findings-title">What was measured</h2>
      {gaps.length === 0 ? (
        <p>Nothing to compare yet: two lanes must finish a round of training first.</p>
      ) : (
        gaps.map(({ verdict, text }) => (
          <p key={text} class={`gap gap-${verdict}`}>
            {text}
          </p>
        ))
      )}
      {onRareKind !== undefined && gaps.some(({ verdict }) => verdict === "unclear") && (
        <p class="note">
          More hangs on the picks where what is needed is rare in the pool: chance spends most of them on what the
          student knows.{" "}
          <button type="button" class="chip" onClick={onRareKind}>
            Set up such a race
          </button>
        </p>
      )}
      <LevelTable lanes={lanes} />
      <p class="note">
        Intervals treat lanes as independent samples. All answer the same questions, so the true uncertainty of a gap
        may be smaller. Other seeds give other curves.
      </p>
    </section>
  );
}

/** Right answers by level, untouched and now. */
function LevelTable({ lanes }: { readonly lanes: readonly LaneRounds[] }): VNode | null {
  const levels = [...new Set(lanes.flatMap(({ rounds }) => Object.keys(rounds.at(-1)?.evaluation.byLevel ?? {})))];
  if (levels.length === 0) return null;
  return (
    <table class="levels">
      <caption>Right by level, round 0 → last</caption>
      <thead>
        <tr>
          <th scope="col">Level</th>
          {lanes.map(({ label }) => (
            <th scope="col" key={label}>
              {label}
            </th>
          ))}
          <th scope="col">of</th>
        </tr>
      </thead>
      <tbody>
        {levels.map((level) => (
          <tr key={level}>
            <th scope="row">{level}</th>
            {lanes.map(({ label, rounds }) => (
              <td key={label}>
                {rounds[0]?.evaluation.byLevel[level]?.correct ?? "–"} →{" "}
                {rounds.at(-1)?.evaluation.byLevel[level]?.correct ?? "–"}
              </td>
            ))}
            <td>
              {lanes.map(({ rounds }) => rounds.at(-1)?.evaluation.byLevel[level]?.n).find((n) => n !== undefined) ??
                "–"}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Rounds in the table: more would slow every drawing. */
const SHOWN_ROUNDS = 200;
/** Of a table that is not opened, only so many of the last rows are made. */
const CLOSED_ROWS = 48;

/** The rounds of all lanes as numbers. */
export function RoundTable({ lanes }: { readonly lanes: readonly LaneRounds[] }): VNode | null {
  const [open, setOpen] = useState(false);
  const rows = lanes.flatMap(({ label, rounds }) => rounds.slice(-SHOWN_ROUNDS).map((summary) => ({ label, summary })));
  const left = Math.max(0, ...lanes.map(({ rounds }) => rounds.length - SHOWN_ROUNDS));
  rows.sort((a, b) => a.summary.round - b.summary.round);
  if (rows.length === 0) return null;
  return (
    <details class="numbers" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        The numbers as a table{left === 0 ? "" : `: the last ${SHOWN_ROUNDS} rounds; Runs has all in its exports`}
      </summary>
      <div class="scroll" tabindex={0} role="region" aria-label="Table of rounds">
        <table>
          <thead>
            <tr>
              <th scope="col">Round</th>
              <th scope="col">Lane</th>
              <th scope="col">Pairs</th>
              <th scope="col">Right</th>
              <th scope="col">Accuracy</th>
              <th scope="col">95&nbsp;% interval</th>
              <th scope="col">Training loss</th>
            </tr>
          </thead>
          <tbody>
            {(open ? rows : rows.slice(-CLOSED_ROWS)).map(
              ({ label, summary: { round, examples, evaluation, meanLoss } }) => (
                <tr key={`${round} ${label}`}>
                  <td>{round}</td>
                  <th scope="row">{label}</th>
                  <td>{examples}</td>
                  <td>
                    {evaluation.correct} / {evaluation.n}
                  </td>
                  <td>{formatPercent(evaluation.accuracy)}</td>
                  <td>
                    {(evaluation.low * 100).toFixed(1)} – {formatPercent(evaluation.high)}
                  </td>
                  <td>{formatNats(meanLoss)}</td>
                </tr>
              ),
            )}
          </tbody>
        </table>
      </div>
    </details>
  );
}
