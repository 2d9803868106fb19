/** @file One lane: what it is, what it is doing, its pool, its training loss and its latest pairs. */
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { describeChange } from "../../comparison.ts";
import { formatCount, formatDuration, formatInteger, formatPercent, formatUsd } from "../../format.ts";
import type { StudentFormat } from "../../../student/types.ts";
import type { LaneState } from "../../laneState.ts";
import { acceptedPairs, teacherUse } from "../../laneState.ts";
import { roundLabel } from "../../phaseText.ts";
import type { LossKind } from "../../plots/poolLayout.ts";
import { LossSparkline } from "../../plots/lossSparkline.tsx";
import { PoolPlot } from "../../plots/poolPlot.tsx";
import type { Problem } from "../../problem.ts";
import { STRATEGIES } from "../../choices.ts";
import { Glyph, LaneMark, SeedMark } from "../../components/icons.tsx";
import { PairList } from "./pairList.tsx";
import { PhaseStrip } from "./phaseStrip.tsx";

export interface LaneViewProps {
  readonly index: number;
  readonly label: string;
  readonly strategy: string;
  readonly lane: LaneState;
  readonly problem: Problem | null;
  readonly lossKind: LossKind;
  readonly maxLoss: number;
  readonly onLossKind: (kind: LossKind) => void;
  readonly onRestart: () => void;
  /** Absent while no student is open. */
  readonly onSave?: ((format: StudentFormat) => void) | undefined;
}

/** A lane, top to bottom. */
export function LaneView({
  index,
  label,
  strategy,
  lane,
  problem,
  lossKind,
  maxLoss,
  onLossKind,
  onRestart,
  onSave,
}: LaneViewProps): VNode {
  const [highlighted, setHighlighted] = useState<string | null>(null);
  const { pool, picks, picksRound, poolRound } = lane;
  // Rings belong to the pool they were drawn from: last round's must not sit on this round's losses.
  const rings = picksRound === poolRound ? picks : NO_PICKS;
  const plot = useMemo(
    () => (
      <PoolPlot
        label={label}
        pool={pool}
        picks={rings}
        lossKind={lossKind}
        maxLoss={maxLoss}
        highlighted={highlighted}
      />
    ),
    [label, pool, rings, lossKind, maxLoss, highlighted],
  );
  const sparkline = useMemo(
    () => <LossSparkline losses={lane.losses} rounds={lane.rounds} label={label} />,
    [lane.losses, lane.rounds, label],
  );
  const pairs = useMemo(
    () => <PairList examples={lane.examples} label={label} onSeed={setHighlighted} />,
    [lane.examples, label],
  );
  return (
    <section class={`lane lane-${index}`} aria-labelledby={`lane-title-${index}`}>
      <header class="lane-head">
        <div>
          <h2 id={`lane-title-${index}`}>
            <Glyph>
              <LaneMark lane={index} x={0} y={0} size={12} />
            </Glyph>
            {label}
          </h2>
          <p class="lane-about">
            {Object.hasOwn(STRATEGIES, strategy)
              ? STRATEGIES[strategy as keyof typeof STRATEGIES]
              : "A strategy of the loop."}
          </p>
        </div>
        <LaneFigure lane={lane} />
      </header>
      {problem !== null && (
        <div class="banner banner-error" role="alert">
          <p>
            <strong>This lane stopped.</strong> {problem.message}
          </p>
          <p>{problem.advice}</p>
          {problem.remedy === "restart" && (
            <button type="button" onClick={onRestart}>
              Restart
            </button>
          )}
        </div>
      )}
      {lane.warnings.length > 0 && (
        <ul class="warnings" aria-label={`Warnings of ${label}`}>
          {lane.warnings.map(({ code, message }) => (
            <li key={`${code} ${message}`}>{message}</li>
          ))}
        </ul>
      )}
      {lane.run !== null && <p class="round-label">{roundLabel(lane)}</p>}
      <TeacherMeter lane={lane} />
      <PhaseStrip lane={lane} label={label} />
      {lane.run !== null && (
        <>
          <div class="panel-head">
            <h3>Pool{poolRound > 0 ? ` before round ${poolRound}'s training` : ""}</h3>
            <LossChoice index={index} lossKind={lossKind} onLossKind={onLossKind} />
          </div>
          <PoolLegend />
          {plot}
          <h3>Training loss, nats per token</h3>
          {sparkline}
          <h3>
            Latest pairs <span class="count">{pairCount(lane)}</span>
          </h3>
          {pairs}
          <p class="lane-save">
            Download this student:{" "}
            <button type="button" disabled={onSave === undefined} onClick={() => onSave?.("onnx")}>
              ONNX
            </button>{" "}
            <button type="button" disabled={onSave === undefined} onClick={() => onSave?.("safetensors")}>
              Safetensors
            </button>
          </p>
        </>
      )}
    </section>
  );
}

const NO_PICKS: LaneState["picks"] = new Map();

function LaneFigure({ lane }: { readonly lane: LaneState }): VNode | null {
  const evaluation = lane.rounds.at(-1)?.evaluation;
  if (evaluation === undefined) return null;
  const change = describeChange(lane.rounds);
  return (
    <div class="figure">
      <p class="figure-value">{formatPercent(evaluation.accuracy)}</p>
      <p class="figure-note">
        {evaluation.correct} of {formatCount(evaluation.n, `${evaluation.split} question`)}, 95&nbsp;%:{" "}
        {(evaluation.low * 100).toFixed(1)}–{formatPercent(evaluation.high)}
      </p>
      {change !== undefined && <p class="figure-note">{change.text}</p>}
    </div>
  );
}

/** What the teacher cost so far, as it grows. */
function TeacherMeter({ lane }: { readonly lane: LaneState }): VNode | null {
  const use = teacherUse(lane);
  if (use === null) return null;
  const { maxRequests, maxCostUsd } = lane.run?.config.teacher.chat?.limits ?? {};
  return (
    <p class="figure-note" aria-label="What the teacher cost">
      Teacher: {formatInteger(use.requests)}
      {maxRequests === undefined ? "" : ` of at most ${formatInteger(maxRequests)}`} requests,{" "}
      {formatInteger(use.tokens)} tokens, {formatUsd(use.costUsd)}
      {maxCostUsd === undefined ? "" : ` of at most ${formatUsd(maxCostUsd)}`}
      {use.cached === 0 ? "" : `, ${formatInteger(use.cached)} more from the cache`}
    </p>
  );
}

function LossChoice({
  index,
  lossKind,
  onLossKind,
}: {
  readonly index: number;
  readonly lossKind: LossKind;
  readonly onLossKind: (kind: LossKind) => void;
}): VNode {
  const option = (kind: LossKind, text: string): VNode => (
    <label>
      <input type="radio" name={`loss-${index}`} checked={lossKind === kind} onChange={() => onLossKind(kind)} />
      <span>{text}</span>
    </label>
  );
  return (
    <fieldset class="segmented">
      <legend class="hidden">Place seeds by the loss of</legend>
      {option("own", "own answer")}
      {option("true", "worked answer")}
    </fieldset>
  );
}

function PoolLegend(): VNode {
  return (
    <p class="legend">
      <span>
        <Glyph>
          <SeedMark correct={true} size={10} />
        </Glyph>
        right
      </span>
      <span>
        <Glyph>
          <SeedMark correct={false} size={10} />
        </Glyph>
        wrong
      </span>
      <span>
        <Glyph size={18}>
          <circle class="seed-ring" r={7} />
        </Glyph>
        picked this round
      </span>
    </p>
  );
}

function pairCount(lane: LaneState): string {
  const rejected = lane.rounds.reduce((sum, round) => sum + round.rejected, 0);
  const pending = lane.tally.round > (lane.rounds.at(-1)?.round ?? 0) ? lane.tally.rejected : 0;
  const tokens = lane.rounds.reduce((sum, { teacher }) => sum + teacher.promptTokens + teacher.completionTokens, 0);
  const spent = lane.rounds.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const cost = lane.rounds.reduce((sum, { teacher }) => sum + teacher.costUsd, 0);
  if (lane.run === null) return "";
  return (
    `${formatCount(acceptedPairs(lane), "pair")} accepted, ${formatInteger(rejected + pending)} rejected` +
    (tokens > 0 ? `; teacher ${formatInteger(tokens)} tokens${cost > 0 ? `, $${cost.toFixed(2)}` : ""}` : "") +
    (spent > 0 ? `; ${formatDuration(spent)}` : "")
  );
}
