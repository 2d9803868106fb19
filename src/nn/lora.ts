/**
 * @file Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685) with PEFT's
 * semantics and names: which linear layers are targeted, what parameters that
 * adds, how they start. Reading and writing PEFT files is in `formats/peft.ts`.
 */
import { badInput } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";
import type { LoraModule } from "./context.ts";
import type { Decoder, ParameterSpec } from "./family.ts";

/** The settings of an adapter that change what it computes. */
export interface LoraConfig {
  readonly r: number;
  readonly loraAlpha: number;
  /** Module name endings, a regular expression over whole module names, or every linear layer but the head. */
  readonly targetModules: "all-linear" | readonly string[] | { readonly pattern: string };
  /** Scale by `alpha / sqrt(r)` in place of `alpha / r`. */
  readonly useRslora?: boolean;
  readonly rankPattern?: Readonly<Record<string, number>>;
  readonly alphaPattern?: Readonly<Record<string, number>>;
}

export interface Lora {
  readonly modules: ReadonlyMap<string, LoraModule>;
  /** A and B of every targeted module, in model order. */
  readonly parameters: readonly ParameterSpec[];
}

/** No adapter. */
export const NO_LORA: Lora = { modules: new Map(), parameters: [] };

/** PEFT's rule: a pattern key matches the whole module name or its ending after a dot. */
function fromPattern(pattern: Readonly<Record<string, number>> | undefined, module: string, fallback: number): number {
  for (const [key, value] of Object.entries(pattern ?? {})) {
    if (new RegExp(`^(?:.*\\.)?(?:${key})$`).test(module)) return value;
  }
  return fallback;
}

/**
 * The LoRA modules of `decoder` under `config`.
 * @throws BadInputError when a target matches nothing, or matches a layer that cannot be adapted.
 */
export function resolveLora(decoder: Decoder, config: LoraConfig): Lora {
  const { targetModules } = config;
  if (!Number.isInteger(config.r) || config.r < 1) badInput("LoRA r", "a positive integer", String(config.r));
  const linears = decoder.parameters.filter((spec) => spec.linear !== undefined);
  const moduleOf = (spec: ParameterSpec): string => spec.linear?.module ?? "";
  const endsWith = (module: string, target: string): boolean => module === target || module.endsWith(`.${target}`);
  let matches: (module: string) => boolean;
  if (targetModules === "all-linear") {
    matches = (module) => module !== "lm_head";
  } else if ("pattern" in targetModules) {
    const expression = new RegExp(`^(?:${targetModules.pattern})$`);
    matches = (module) => expression.test(module);
  } else {
    for (const target of targetModules) {
      if (!linears.some((spec) => endsWith(moduleOf(spec), target))) {
        const names = [...new Set(linears.map((spec) => moduleOf(spec).split(".").at(-1)))];
        badInput("LoRA target modules", `names of linear layers (${names.join(", ")}) or all-linear`, JSON.stringify(target));
      }
    }
    matches = (module) => targetModules.some((target) => endsWith(module, target));
  }
  const chosen = linears.filter((spec) => matches(moduleOf(spec)));
  if (chosen.length === 0) badInput("LoRA target modules", "at least one matching linear layer", JSON.stringify(targetModules));
  const modules = new Map<string, LoraModule>();
  const parameters: ParameterSpec[] = [];
  for (const spec of chosen) {
    const module = moduleOf(spec);
    const [rows = 0, columns = 0] = spec.shape;
    const [inSize, outSize] = spec.linear?.layout === "in-out" ? [rows, columns] : [columns, rows];
    const r = fromPattern(config.rankPattern, module, config.r);
    const alpha = fromPattern(config.alphaPattern, module, config.loraAlpha);
    const loraA = `base_model.model.${module}.lora_A.weight`;
    const loraB = `base_model.model.${module}.lora_B.weight`;
    modules.set(module, { loraA, loraB, r, scaling: alpha / (config.useRslora ? Math.sqrt(r) : r) });
    parameters.push({ name: loraA, shape: [r, inSize], decay: true }, { name: loraB, shape: [outSize, r], decay: true });
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
