/** @file One lane: what it is, what it is doing, its pool, its training loss and its latest pairs. */
import type { VNode } from "preact";
import { useMemo, useState } from "preact/hooks";
import { laneLetter } from "../../appState.ts";
import { Glyph, LaneMark } from "../../components/icons.tsx";
import { LessMemoryButton } from "../../components/lessMemoryButton.tsx";
import { describeChange } from "../../comparison.ts";
import type { Page } from "../../controller.ts";
import { formatCount, formatDuration, formatInteger, formatPercent, formatUsd } from "../../format.ts";
import type { LaneState } from "../../laneState.ts";
import { acceptedPairs, teacherUse } from "../../laneState.ts";
import { LossSparkline } from "../../plots/lossSparkline.tsx";
import type { Problem } from "../../problem.ts";
import { describeMemoryChange } from "../../../student/memorySettings.ts";
import { STRATEGIES } from "../../choices.ts";
import { PairList } from "./pairList.tsx";
import { PoolPlot } from "./pool/poolPlot.tsx";
import type { PoolAxes } from "./pool/poolToolbar.tsx";
import { seedTools } from "./pool/seedTools.ts";

export interface LaneViewProps {
  readonly index: number;
  readonly label: string;
  readonly strategy: string;
  readonly lane: LaneState;
  readonly problem: Problem | null;
  readonly page: Page;
  readonly axes: PoolAxes;
  /** Its student is open in the worker. */
  readonly open: boolean;
  /** Absent once a run is on the page. */
  readonly onStrategy: ((name: string) => void) | undefined;
  readonly onRemove: (() => void) | undefined;
}

/** A lane, top to bottom. */
export function LaneView(props: LaneViewProps): VNode {
  const { index, label, strategy, lane, problem, page, axes, open, onStrategy, onRemove } = props;
  const [highlighted, setHighlighted] = useState<string | null>(null);
  const { pool, picks, picksRound, poolRound, children, tally } = lane;
  // Rings and children belong to the pool they were drawn from: last round's must not sit on this round's losses.
  const rings = picksRound === poolRound ? picks : NO_PICKS;
  const young = tally.round === poolRound ? children : NO_CHILDREN;
  const seed = useMemo(() => seedTools(page, index, open, lane.run?.config), [page, index, open, lane.run?.config]);
  const plot = useMemo(
    () => (
      <PoolPlot
        lane={index}
        label={label}
        pool={pool}
        picks={rings}
        children={young}
        axes={axes}
        highlighted={highlighted}
        tools={seed}
      />
    ),
    [index, label, pool, rings, young, axes, highlighted, seed],
  );
  const sparkline = useMemo(
    () => <LossSparkline losses={lane.losses} rounds={lane.rounds} label={label} />,
    [lane.losses, lane.rounds, label],
  );
  const pairs = useMemo(
    () => <PairList examples={lane.examples} label={label} onSeed={setHighlighted} />,
    [lane.examples, label],
  );
  const about = Object.hasOwn(STRATEGIES, strategy) ? STRATEGIES[strategy as keyof typeof STRATEGIES] : "";
  return (
    <section class={`lane lane-${index}`} aria-labelledby={`lane-title-${index}`}>
      <header class="lane-head">
        <div>
          <h3 id={`lane-title-${index}`}>
            <Glyph>
              <LaneMark lane={index} x={0} y={0} size={12} />
            </Glyph>
            {onStrategy === undefined ? (
              label
            ) : (
              <label class="lane-choice">
                <span class="hidden">Strategy of lane {laneLetter(index)}</span>
                <select value={strategy} onChange={(event) => onStrategy(event.currentTarget.value)}>
                  {!Object.hasOwn(STRATEGIES, strategy) && <option value={strategy}>{strategy}</option>}
                  {Object.keys(STRATEGIES).map((name) => (
                    <option key={name} value={name}>
                      {name}
                    </option>
                  ))}
                </select>
              </label>
            )}
            {onRemove !== undefined && (
              <button type="button" class="quiet" onClick={onRemove}>
                Remove lane
              </button>
            )}
          </h3>
          <p class="lane-about">{about === "" ? "A strategy of the loop." : about}</p>
        </div>
        <LaneFigure lane={lane} />
      </header>
      {problem !== null && (
        <div class="banner banner-error" role="alert">
          <p>
            <strong>This lane stopped.</strong> {problem.message}
          </p>
          <p>{problem.advice}</p>
          {problem.remedy === "less-memory" && (
            <LessMemoryButton lanes={[lane]} onPress={() => page.race.resumeInLess()} />
          )}{" "}
          {problem.remedy !== "dismiss" && (
            <button type="button" onClick={() => page.race.restart()}>
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
      {lane.memoryChanges.map(({ round, from, to }) => (
        <p key={JSON.stringify([round, to])} class="figure-note" role="note">
          From round {round} on: {describeMemoryChange(from, to)}.
        </p>
      ))}
      <TeacherMeter lane={lane} />
      {plot}
      {lane.run !== null && (
        <>
          <h4>Training loss, nats per token</h4>
          {sparkline}
          <h4>
            Latest pairs <span class="count">{pairCount(lane)}</span>
          </h4>
          {pairs}
          <p class="lane-save">
            Download this student:{" "}
            <button type="button" disabled={!open} onClick={() => page.race.saveStudent(index, "onnx")}>
              ONNX
            </button>{" "}
            <button type="button" disabled={!open} onClick={() => page.race.saveStudent(index, "safetensors")}>
              Safetensors
            </button>
          </p>
        </>
      )}
    </section>
  );
}

const NO_PICKS: LaneState["picks"] = new Map();
const NO_CHILDREN: LaneState["children"] = [];

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
    <p class="figure-note" role="note" aria-label="What the teacher cost">
      Teacher: {formatInteger(use.requests)}
      {maxRequests === undefined ? "" : ` of at most ${formatInteger(maxRequests)}`} requests,{" "}
      {formatInteger(use.tokens)} tokens, {formatUsd(use.costUsd)}
      {maxCostUsd === undefined ? "" : ` of at most ${formatUsd(maxCostUsd)}`}
      {use.cached === 0 ? "" : `, ${formatInteger(use.cached)} more from the cache`}
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
