/**
 * @file Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685) with PEFT's
 * semantics and names: which linear layers are targeted, what parameters that
 * adds, how they start. Reading and writing PEFT files is in `formats/peft.ts`.
 */
import { badInput } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";
import type { LoraModule } from "./context.ts";
import type { Decoder, ParameterSpec } from "./family.ts";

/** What an adapter does to one linear layer. */
export interface LoraModuleConfig {
  readonly r: number;
  /** `alpha / r` (or what the adapter's config makes of it). */
  readonly scaling: number;
}

export interface Lora {
  readonly modules: ReadonlyMap<string, LoraModule>;
  /** A and B of every targeted module, in model order. */
  readonly parameters: readonly ParameterSpec[];
}

/** No adapter. */
export const NO_LORA: Lora = { modules: new Map(), parameters: [] };

/** Names of the decoder's linear layers, in model order. */
export function linearModules(decoder: Decoder): string[] {
  return decoder.parameters.flatMap((spec) => (spec.linear ? [spec.linear.module] : []));
}

/** The LoRA modules of `decoder`: those for which `adapt` gives a config. @throws BadInputError of `where` when there is none. */
export function resolveLora(
  decoder: Decoder,
  adapt: (module: string) => LoraModuleConfig | undefined,
  where = "LoRA target modules",
  hint = "",
): Lora {
  const modules = new Map<string, LoraModule>();
  const parameters: ParameterSpec[] = [];
  for (const { shape, linear } of decoder.parameters) {
    const config = linear && adapt(linear.module);
    if (!linear || config === undefined) continue;
    const [rows = 0, columns = 0] = shape;
    const [inSize, outSize] = linear.layout === "in-out" ? [rows, columns] : [columns, rows];
    const loraA = `base_model.model.${linear.module}.lora_A.weight`;
    const loraB = `base_model.model.${linear.module}.lora_B.weight`;
    modules.set(linear.module, { loraA, loraB, ...config });
    parameters.push(
      { name: loraA, shape: [config.r, inSize], decay: true },
      { name: loraB, shape: [outSize, config.r], decay: true },
    );
  }
  if (modules.size === 0) {
    const names = [...new Set(linearModules(decoder).map((module) => module.split(".").at(-1)))];
    badInput(where, `names of linear layers (${names.join(", ")}) or all-linear`, "no match", hint);
  }
  return { modules, parameters };
}

/**
 * Starting values as PEFT's default: A uniform in ±1/sqrt(in) (Kaiming with a = √5),
 * B zero, so that the adapted student starts equal to its base. Each A draws from a
 * stream of its own name.
 */
export function initializeLora(lora: Lora, rng: Rng): Map<string, Float32Array> {
  const out = new Map<string, Float32Array>();
  for (const { name, shape } of lora.parameters) {
    const [rows = 0, columns = 0] = shape;
    const values = new Float32Array(rows * columns);
    if (name.endsWith("lora_A.weight")) {
      const own = rng.fork(name);
      const bound = 1 / Math.sqrt(columns);
      for (let i = 0; i < values.length; i++) values[i] = (2 * own.uniform() - 1) * bound;
    }
    out.set(name, values);
  }
  return out;
}
