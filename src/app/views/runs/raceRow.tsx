/** @file One kept race: its name, settings, how far it came, what it reached, and what can be done with it. */
import type { VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { RunHeader } from "../../../loop/runStore.ts";
import { TEACHER_LABELS } from "../../choices.ts";
import { Glyph, LaneMark } from "../../components/icons.tsx";
import { formatBytes, formatCount, formatPercent } from "../../format.ts";
import { formatRoute } from "../../route.ts";
import { dateText, settingsOf, titleOf } from "./keptRaces.ts";
import type { KeptRace } from "./keptRaces.ts";
import { DOWNLOADS } from "./runsActions.ts";
import type { Download, RunsController, RunsState } from "./runsActions.ts";

export interface RaceRowProps {
  readonly race: KeptRace;
  readonly slice: RunsState;
  /** Open in this tab. */
  readonly open: boolean;
  /** Something is being done already. */
  readonly waiting: boolean;
  readonly actions: RunsController;
}

/** The row. */
export function RaceRow({ race, slice, open, waiting, actions }: RaceRowProps): VNode {
  const { key, lanes, label, createdAt, elsewhere, finished, checkpointBytes } = race;
  const title = titleOf(race);
  const taken = elsewhere && !open;
  return (
    <li class="race" aria-label={title}>
      <label class="race-compare">
        <input
          type="checkbox"
          checked={slice.compared.includes(key)}
          onChange={() => actions.toggleCompared(key)}
        />
        <span class="hidden">Compare {title}</span>
      </label>
      <div class="race-about">
        {slice.renaming === key ? (
          <Rename title={label ?? ""} onSave={(name) => actions.rename(key, name)} onCancel={() => actions.askRename(null)} />
        ) : (
          <h3>
            {title}{" "}
            <button type="button" class="link" onClick={() => actions.askRename(key)}>
              Rename<span class="hidden"> {title}</span>
            </button>
          </h3>
        )}
        <p class="note">
          <time dateTime={createdAt}>{dateText(createdAt)}</time>
          {label === undefined ? "" : ` · ${settingsOf(lanes)}`} · {setUpText(lanes)} · {formatBytes(checkpointBytes)} of
          weights
        </p>
      </div>
      <div class="race-progress">
        <progress max={Math.max(1, race.rounds)} value={Math.max(0, race.lastRound)} aria-label={`Rounds of ${title}`} />
        <p class="note">{open ? "open here · " : taken ? "open in another tab · " : ""}{progressText(race)}</p>
      </div>
      <dl class="race-figures">
        {lanes.map((lane, index) => (
          <div key={lane.manifest.runId} class={`lane-${index}`}>
            <dt>
              <Glyph>
                <LaneMark lane={index} x={0} y={0} size={10} />
              </Glyph>
              {lane.manifest.config.strategy.name}
            </dt>
            <dd>{lane.accuracy === null ? "–" : formatPercent(lane.accuracy)}</dd>
          </div>
        ))}
      </dl>
      <div class="race-actions">
        {slice.deleting === key ? (
          <Confirm
            text="Delete this run for good?"
            onYes={() => actions.delete(key)}
            onNo={() => actions.askDelete(null)}
          />
        ) : (
          <>
            {!finished && (
              <button
                type="button"
                disabled={waiting || taken || open}
                title={taken ? "Another tab has this run: go on there, or close it first." : ""}
                onClick={() => actions.open(key, true)}
              >
                Resume
              </button>
            )}
            <button type="button" disabled={waiting || open} onClick={() => actions.open(key, false)}>
              Show
            </button>
            <a class="button" href={formatRoute({ view: "data", query: dataQuery(lanes) })}>
              Pairs
            </a>
            <Downloads lanes={lanes} waiting={slice.busy !== null} actions={actions} raceKey={key} />
            <button
              type="button"
              disabled={waiting || taken || open}
              title={open ? "Press New run on the race first." : taken ? "Another tab has this run." : ""}
              onClick={() => actions.askDelete(key)}
            >
              Delete
            </button>
          </>
        )}
      </div>
    </li>
  );
}

function dataQuery(lanes: readonly RunHeader[]): URLSearchParams {
  return new URLSearchParams({ runs: lanes.map(({ manifest }) => manifest.runId).join(",") });
}

function progressText({ finished, lastRound, rounds }: KeptRace): string {
  if (finished) return lastRound < rounds ? `ended after round ${lastRound} of ${rounds}` : `all of ${formatCount(rounds, "round")}`;
  return lastRound < 0 ? "not a round finished" : `round ${lastRound} of ${rounds}`;
}

function setUpText(lanes: readonly RunHeader[]): string {
  const config = lanes[0]?.manifest.config;
  if (config === undefined) return "";
  const { querySize, perSeed, seed, teacher } = config;
  const by =
    teacher.name === "none"
      ? "real pairs, no teacher"
      : teacher.name === "solver"
        ? "built-in teacher"
        : `teacher ${teacher.chat?.model ?? TEACHER_LABELS[teacher.name]}`;
  return `${querySize} × ${perSeed} pairs a round, ${by}, seed ${seed}`;
}

function Rename({
  title,
  onSave,
  onCancel,
}: {
  readonly title: string;
  readonly onSave: (name: string) => void;
  readonly onCancel: () => void;
}): VNode {
  const input = useRef<HTMLInputElement>(null);
  // At once: a key pressed before would be replaced by the next.
  useLayoutEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  return (
    <form
      class="rename"
      onSubmit={(event) => {
        event.preventDefault();
        onSave(input.current?.value ?? "");
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") onCancel();
      }}
    >
      <input ref={input} type="text" aria-label="Name of the run" maxLength={200} defaultValue={title} placeholder="A name" />
      <button type="submit">Save</button>
      <button type="button" onClick={onCancel}>
        Cancel
      </button>
    </form>
  );
}

function Confirm({
  text,
  onYes,
  onNo,
}: {
  readonly text: string;
  readonly onYes: () => void;
  readonly onNo: () => void;
}): VNode {
  const no = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => no.current?.focus(), []);
  return (
    <div class="confirm" role="group" aria-label={text}>
      <span>{text}</span>
      <button type="button" class="danger" onClick={onYes}>
        Delete
      </button>
      <button type="button" ref={no} onClick={onNo}>
        Keep
      </button>
    </div>
  );
}

function Downloads({
  lanes,
  waiting,
  actions,
  raceKey,
}: {
  readonly lanes: readonly RunHeader[];
  readonly waiting: boolean;
  readonly actions: RunsController;
  readonly raceKey: string;
}): VNode {
  const own = lanes[0]?.manifest.config.task.data;
  return (
    <details class="downloads">
      <summary class="button">Download</summary>
      <div class="downloads-box">
        <p>
          <button type="button" disabled={waiting} onClick={() => actions.export(raceKey)}>
            Export the whole run
          </button>
          <span class="note">
            One file, to import in another browser or to resume in a terminal.
            {own === undefined ? "" : ` Your file ${own.pool} goes with it: hand it only to who may read it.`}
          </span>
        </p>
        {lanes.map(({ manifest, lastRound }, index) => (
          <div key={manifest.runId} class={`downloads-lane lane-${index}`}>
            <h4>
              <Glyph>
                <LaneMark lane={index} x={0} y={0} size={10} />
              </Glyph>
              {manifest.config.strategy.name}
            </h4>
            <div class="buttons">
              {downloadsOf(manifest.config.training.method.method, lastRound).map((what) => (
                <button
                  key={what}
                  type="button"
                  disabled={waiting}
                  aria-label={`${DOWNLOADS[what]} of ${manifest.config.strategy.name}`}
                  onClick={() => actions.download(manifest.runId, what)}
                >
                  {DOWNLOADS[what]}
                </button>
              ))}
            </div>
          </div>
        ))}
      </div>
    </details>
  );
}

/** Only a student that trains an adapter has one; without a finished round there is nothing taught. */
function downloadsOf(method: "full" | "lora", lastRound: number): readonly Download[] {
  const students: readonly Download[] =
    lastRound < 1 ? [] : method === "lora" ? ["adapter", "safetensors", "onnx"] : ["safetensors", "onnx"];
  return [...students, "dataset", "manifest"];
}
