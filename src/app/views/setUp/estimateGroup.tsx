/** @file What the run will take: time, memory and money, each with what it rests on; and what is kept for use without a network. */
import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import { formatBytes, formatCount, formatDuration, formatInteger } from "../../format.ts";
import type { Page } from "../../controller.ts";
import { OFFLINE } from "../../offline.ts";
import type { AppState } from "../../appState.ts";
import type { CheckedSettings } from "../../settings.ts";
import type { MemoryBytes } from "../../../protocol/loopService.ts";
import { CAUSE_TEXT } from "../engine/engineReport.ts";
import { FORECAST, forecast, raceMs } from "./forecast.ts";
import { Group } from "./setUpForm.tsx";

/** Typing goes on for so long after a key. */
const QUIET_MS = 400;

/** The group. */
export function EstimateGroup({
  state,
  checked,
  page,
}: {
  readonly state: AppState;
  readonly checked: CheckedSettings;
  readonly page: Page;
}): VNode {
  const { draft } = state;
  useEffect(() => {
    const timer = setTimeout(() => void forecast(page.store, page.link), QUIET_MS);
    return () => clearTimeout(timer);
  }, [draft, page]);
  return (
    <Group title="Before you start">
      {checked.ok ? <Figures state={state} checked={checked} /> : <p class="note">After the corrections.</p>}
      <Offline state={state} page={page} />
    </Group>
  );
}

const PROVIDER_NAMES = { webgpu: "the GPU", wasm: "WebAssembly", cpu: "the CPU" } as const;

function Figures({
  state,
  checked,
}: {
  readonly state: AppState;
  readonly checked: CheckedSettings & { readonly ok: true };
}): VNode {
  const { settings } = checked;
  const { memory, problem, pace, of } = FORECAST.of(state);
  const current = of === state.draft;
  const epochs = Number(state.draft.epochs);
  const lanes = settings.strategies.length;
  return (
    <dl class="estimate" aria-live="polite">
      <div>
        <dt>Time</dt>
        <dd>
          {!current
            ? "…"
            : pace === null
              ? "Unknown until a first round of this student was run on this machine."
              : `About ${formatDuration(raceMs(settings, epochs, pace))}, at the pace of your run of ${new Date(pace.createdAt).toLocaleString()} on ${PROVIDER_NAMES[pace.ep]} (median of ${formatCount(pace.rounds, "round")}). Rough: answers may be longer or shorter.`}
        </dd>
      </div>
      <div>
        <dt>Memory</dt>
        <dd>
          {!current
            ? "…"
            : problem !== ""
              ? problem
              : memory === null
                ? "Unknown until the student is here and nothing runs."
                : `About ${formatBytes(memory.bytes.total)} of ${PROVIDER_NAMES[memory.ep]}'s memory while a lane trains (${formatInteger(memory.parameters)} parameters), for each of ${lanes} lanes.${memory.gradientCheckpointing ? " Values are computed twice to save memory." : ""}`}
          {current && problem === "" && memory !== null && <Causes bytes={memory.bytes} />}
        </dd>
      </div>
      <div>
        <dt>Teacher</dt>
        <dd>
          {settings.teacher === undefined
            ? "Built in: no request leaves this tab, no money."
            : settings.teacher.name === "none"
              ? "None: no request, no money."
              : "A chat model: requests, tokens and money as estimated under Teacher above."}
        </dd>
      </div>
    </dl>
  );
}

/** What needs it, most first. */
function Causes({ bytes: { total: _, ...causes } }: { readonly bytes: MemoryBytes }): VNode {
  return (
    <ul class="causes" aria-label="Memory by cause">
      {Object.entries(causes)
        .filter(([, bytes]) => bytes > 0)
        .sort(([, a], [, b]) => b - a)
        .map(([cause, bytes]) => (
          <li key={cause}>
            <span>{CAUSE_TEXT[cause] ?? cause}</span> <span class="figure">{formatBytes(bytes)}</span>
          </li>
        ))}
    </ul>
  );
}

function Offline({ state, page }: { readonly state: AppState; readonly page: Page }): VNode | null {
  const { pageKept, engine } = OFFLINE.of(state);
  if (!pageKept) return null;
  return (
    <div class="offline">
      <p class="note" aria-live="polite">
        The page is kept for use without a network.{" "}
        {engine === "kept"
          ? "So is the engine."
          : engine === "failed"
            ? "The engine could not be fetched; try again with a network."
            : "The engine is kept when it is first used."}
      </p>
      {engine !== "kept" && (
        <button type="button" disabled={engine === "keeping"} onClick={() => page.offline.keepEngine()}>
          {engine === "keeping" ? "Fetching the engine…" : "Keep the engine now (about 14 MB)"}
        </button>
      )}
    </div>
  );
}
