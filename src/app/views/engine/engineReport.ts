/** @file What computes, as named lines: for the panel, and as text for a report of a fault. Never a key, token or address. Pure. */
import type { EngineStatus } from "../../../protocol/loopService.ts";
import type { Precision } from "../../../student/types.ts";
import type { AppState } from "../../appState.ts";
import { formatBytes, formatInteger, formatLarge, formatStudent } from "../../format.ts";

export interface Line {
  readonly name: string;
  readonly value: string;
}

export interface Section {
  readonly title: string;
  readonly lines: readonly Line[];
}

/** Providers in words. */
export const PROVIDER_TEXT: Readonly<Record<"cpu" | "wasm" | "webgpu", string>> = {
  cpu: "CPU",
  wasm: "WASM on the CPU",
  webgpu: "WebGPU",
};

/** Causes of memory in words. */
export const CAUSE_TEXT: Readonly<Record<string, string>> = {
  weights: "frozen weights",
  trainable: "trainable weights, twice",
  moments: "AdamW's moments, twice",
  gradients: "gradients",
  activations: "activations",
  logits: "output head and loss",
  runtime: "ONNX Runtime",
  other: "caches of generation",
};

/** Mean over the lanes of their training speed; null before a step. */
export function tokensPerSecond({ lanes }: Pick<AppState, "lanes">): number | null {
  const speeds = lanes.flatMap((lane) => lane.tokensPerSecond ?? []);
  return speeds.length === 0 ? null : speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length;
}

/** The report. `status`: null before it was asked for. */
export function engineReport(state: AppState, status: EngineStatus | null): readonly Section[] {
  const run = state.lanes.find((lane) => lane.run !== null)?.run ?? null;
  const engine = status?.engine ?? state.race?.engine ?? run?.engine ?? null;
  const student = run?.student ?? state.race?.lanes[0]?.student ?? null;
  const speed = tokensPerSecond(state);
  const list = (...lines: readonly (readonly [string, string | null | undefined])[]): readonly Line[] =>
    lines.flatMap(([name, value]) => (value === null || value === undefined ? [] : [{ name, value }]));
  const training = run?.config.training;
  return [
    {
      title: "Engine",
      lines: list(
        ["Engine", engine === null ? "chosen at Start" : PROVIDER_TEXT[engine.ep]],
        ["Adapter", engine?.adapter],
        ["Threads", engine === null || engine.ep === "webgpu" ? null : String(engine.threads)],
        ["Runtime", engine?.version],
        ["Cross-origin isolated", state.isolated ? "yes" : "no: one thread only"],
        ["Student", student === null ? null : studentText(student)],
        [
          "Training",
          engine === null ? null : speed === null ? "not yet" : `${formatInteger(Math.round(speed))} tokens/s`,
        ],
        ["Precision", engine === null ? null : precisionText(training?.precision ?? "float32", state.lanes)],
        ["Self-test", engine?.selfTest],
        ["Why not a faster engine", engine?.fallbackReason],
      ),
    },
    {
      title: "This browser",
      lines: list(
        ...(status?.providers ?? []).map(
          ({ ep, available, reason }) =>
            [
              PROVIDER_TEXT[ep],
              `${available ? "available" : "not available"}${reason === undefined ? "" : `: ${reason}`}`,
            ] as const,
        ),
        ["Limits", limitsText(engine?.limits)],
        [
          "Features",
          engine?.features === undefined || engine.features.length === 0 ? null : engine.features.join(", "),
        ],
      ),
    },
    {
      title: "Work and memory",
      lines: list(
        ["State", `${state.raceState}${state.pending === null ? "" : `, waiting for ${state.pending}`}`],
        ["Queue", status === null ? null : `${status.queue} on the engine or waiting for it`],
        ["Open sessions", status?.live === undefined ? null : formatInteger(status.live.sessions)],
        [
          "Device tensors",
          status?.live === undefined
            ? null
            : `${formatInteger(status.live.tensors)}, ${formatBytes(status.live.bytes)}`,
        ],
        ["WebAssembly heap", bytesText(status?.memory?.wasmHeapBytes)],
        ["GPU buffers of tensors", bytesText(status?.memory?.gpuBytes)],
        ["GPU buffers in all", bytesText(status?.memory?.gpuTotalBytes)],
        ["GPU buffers at most so far", bytesText(status?.memory?.gpuPeakBytes)],
      ),
    },
    ...needsSections(status),
    ...measuredSections(status),
    {
      title: "Faults",
      lines: list(
        ["Problem", state.problem?.message],
        ["Crash", state.crash?.message],
        ...state.lanes.map(
          ({ warnings }, index) =>
            [
              `Warnings of lane ${index + 1}`,
              warnings.length === 0 ? null : warnings.map(({ message }) => message).join(" | "),
            ] as const,
        ),
      ),
    },
  ].filter(({ lines }) => lines.length > 0);
}

function needsSections(status: EngineStatus | null): readonly Section[] {
  const needs = status?.needs;
  if (needs === undefined) return [];
  const { total = 0, ...causes } = needs.bytes;
  return [
    {
      title: "One training step",
      lines: [
        {
          name: "Nodes per step",
          value: `${formatInteger(needs.nodesPerStep)} ONNX nodes as written; ONNX Runtime fuses some, and dispatches at least once for most of the others on a GPU`,
        },
        { name: "Largest batch", value: `${needs.batch} rows of ${needs.length} tokens` },
        {
          name: "Gradient checkpointing",
          value: needs.gradientCheckpointing ? "on: activations are computed twice" : "off",
        },
      ],
    },
    {
      title: "Memory of training by cause, estimated",
      lines: [
        ...Object.entries(causes)
          .sort(([, a], [, b]) => b - a)
          .map(([cause, bytes]) => ({ name: CAUSE_TEXT[cause] ?? cause, value: formatBytes(bytes) })),
        { name: "in all, for each lane", value: formatBytes(total) },
      ],
    },
  ];
}

/** What was counted when memory was fullest. */
const COUNTED_TEXT = { gpu: "all GPU buffers", heap: "the WebAssembly memory", process: "the process" } as const;

/** Memory as counted at its fullest moment, all lanes together; what nobody can count apart is one line. */
function measuredSections(status: EngineStatus | null): readonly Section[] {
  const peak = status?.memory?.peak;
  if (peak === undefined) return [];
  const roles = Object.entries(peak.tensorBytes).filter(([, bytes]) => bytes > 0);
  const held = roles.reduce((sum, [, bytes]) => sum + bytes, 0);
  return [
    {
      title: "Memory at its fullest, measured",
      lines: [
        ...roles
          .sort(([, a], [, b]) => b - a)
          .map(([role, bytes]) => ({ name: CAUSE_TEXT[role] ?? role, value: formatBytes(bytes) })),
        { name: "activations, head and loss, ONNX Runtime", value: formatBytes(peak.totalBytes - held) },
        { name: `in all, of ${COUNTED_TEXT[peak.of]}`, value: formatBytes(peak.totalBytes) },
      ],
    },
  ];
}

/** What training computes in: as a lane has said, or as it was asked for before one has. */
function precisionText(asked: Precision | "auto", lanes: AppState["lanes"]): string {
  const found = lanes.find(({ precision }) => precision !== null)?.precision ?? null;
  const products = found?.precision ?? (asked === "auto" ? "float16 if the first batch agrees with float32" : asked);
  return `products of training in ${products}, all else in float32${found?.reason === undefined ? "" : `: ${found.reason}`}`;
}

function studentText({
  name,
  parameters,
  trainable,
}: {
  readonly name: string;
  readonly parameters: number;
  readonly trainable: number;
}): string {
  return `${formatStudent(name)}, ${formatLarge(parameters)} parameters${trainable === parameters ? "" : `, ${formatInteger(trainable)} trained`}`;
}

/** The limits that decide what fits. */
const SHOWN_LIMITS = ["maxBufferSize", "maxStorageBufferBindingSize", "maxComputeInvocationsPerWorkgroup"];

function limitsText(limits: Readonly<Record<string, number>> | undefined): string | null {
  if (limits === undefined) return null;
  const shown = SHOWN_LIMITS.flatMap((name) => {
    const value = limits[name];
    return value === undefined ? [] : [`${name} ${name.includes("Size") ? formatBytes(value) : formatInteger(value)}`];
  });
  return shown.length === 0 ? null : shown.join(", ");
}

function bytesText(bytes: number | undefined): string | null {
  return bytes === undefined ? null : formatBytes(bytes);
}

/** The report as text, one line a fact. */
export function reportText(sections: readonly Section[], browser: string): string {
  return [
    ...sections.flatMap(({ title, lines }) => [title, ...lines.map(({ name, value }) => `  ${name}: ${value}`)]),
    `Browser: ${browser}`,
  ].join("\n");
}
