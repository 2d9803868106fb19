/** @file What computes: provider, adapter, threads, isolation, speed, and why not something better. */
import type { VNode } from "preact";
import type { AppState } from "../../appState.ts";
import type { EngineInfo } from "../../../runtime/types.ts";
import { formatInteger, formatLarge, formatStudent } from "../../format.ts";

/** Providers in words. */
export const PROVIDER_TEXT: Readonly<Record<EngineInfo["ep"], string>> = {
  cpu: "CPU",
  wasm: "WASM on the CPU",
  webgpu: "WebGPU",
};

/** Mean over the lanes of their training speed; null before a step. */
export function tokensPerSecond({ lanes }: AppState): number | null {
  const speeds = lanes.flatMap((lane) => lane.tokensPerSecond ?? []);
  return speeds.length === 0 ? null : speeds.reduce((sum, speed) => sum + speed, 0) / speeds.length;
}

/** What computes. */
export function EnginePanel({ state }: { readonly state: AppState }): VNode {
  const { race, lanes, isolated } = state;
  const run = lanes.find(({ run }) => run !== null)?.run ?? null;
  const engine = race?.engine ?? run?.engine ?? null;
  const student = run?.student ?? race?.lanes[0]?.student ?? null;
  const speed = tokensPerSecond(state);
  return (
    <section class="engine" aria-label="Engine">
      <dl>
        <Fact name="Engine">{engine === null ? "chosen at Start" : PROVIDER_TEXT[engine.ep]}</Fact>
        {engine?.adapter !== undefined && <Fact name="Adapter">{engine.adapter}</Fact>}
        {engine !== null && engine.ep !== "webgpu" && <Fact name="Threads">{String(engine.threads)}</Fact>}
        {engine !== null && <Fact name="Runtime">{engine.version}</Fact>}
        <Fact name="Cross-origin isolated">{isolated ? "yes" : "no: one thread only"}</Fact>
        {student !== null && (
          <Fact name="Student">
            {`${formatStudent(student.name)}, ${formatLarge(student.parameters)} parameters${student.trainable === student.parameters ? "" : `, ${formatInteger(student.trainable)} trained`}`}
          </Fact>
        )}
        {engine !== null && (
          <Fact name="Training">{speed === null ? "not yet" : `${formatInteger(Math.round(speed))} tokens/s`}</Fact>
        )}
        {engine?.selfTest !== undefined && <Fact name="Self-test">{engine.selfTest}</Fact>}
      </dl>
      {engine?.fallbackReason !== undefined && (
        <p class="engine-fallback">Why not a faster engine: {engine.fallbackReason}</p>
      )}
    </section>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: string }): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
