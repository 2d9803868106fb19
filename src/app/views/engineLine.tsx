/** @file What computes: provider, adapter, threads, isolation, speed, and why not something better. */
import type { VNode } from "preact";
import type { EngineInfo } from "../../runtime/types.ts";
import { formatInteger, formatLarge, formatStudent } from "../format.ts";

const PROVIDER_TEXT: Readonly<Record<EngineInfo["ep"], string>> = {
  cpu: "CPU",
  wasm: "WASM on the CPU",
  webgpu: "WebGPU",
};

export interface EngineLineProps {
  readonly engine: EngineInfo | null;
  readonly isolated: boolean;
  readonly tokensPerSecond: number | null;
  readonly student: { readonly name: string; readonly parameters: number; readonly trainable: number } | null;
}

/** The engine line. */
export function EngineLine({ engine, isolated, tokensPerSecond, student }: EngineLineProps): VNode {
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
          <Fact name="Training">
            {tokensPerSecond === null ? "not yet" : `${formatInteger(Math.round(tokensPerSecond))} tokens/s`}
          </Fact>
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
