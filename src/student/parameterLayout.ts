/**
 * @file Which parameters train and where each lives. Trainable parameters are
 * packed into a few flat float32 groups (decayed and not), so that the optimizer
 * needs a handful of nodes; frozen ones stay separate tensors, uploaded once.
 * Graphs see parameters by name only: a slice of a group, or an input of its own.
 */
import { badInput, invariant } from "../core/errors.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import { elementCount } from "../onnx/shapes.ts";
import type { Value } from "../onnx/types.ts";
import type { Decoder, ParameterSpec } from "../nn/family.ts";
import type { Lora } from "../nn/lora.ts";
import type { ParameterGroup } from "../optim/adamw.ts";
import type { FrozenWeights } from "./types.ts";

/** Elements of one group at most: 128 MiB of float32, the smallest storage-buffer binding that WebGPU guarantees. */
const MAX_GROUP_ELEMENTS = 32 * 1024 * 1024;

export interface LayoutEntry {
  readonly spec: ParameterSpec;
  readonly offset: number;
  readonly size: number;
}

export interface LayoutGroup extends ParameterGroup {
  readonly entries: readonly LayoutEntry[];
}

export interface ParameterLayout {
  readonly groups: readonly LayoutGroup[];
  readonly frozen: readonly ParameterSpec[];
  /** Names of frozen parameters that the device holds in float16; graphs cast them where they are used. */
  readonly halved: ReadonlySet<string>;
}

function pack(specs: readonly ParameterSpec[], decay: boolean): LayoutGroup[] {
  const groups: { entries: LayoutEntry[]; size: number }[] = [];
  for (const spec of specs) {
    const size = elementCount(spec.shape);
    let group = groups.at(-1);
    if (group === undefined || group.size + size > MAX_GROUP_ELEMENTS) groups.push((group = { entries: [], size: 0 }));
    group.entries.push({ spec, offset: group.size, size });
    group.size += size;
  }
  return groups.map(({ entries, size }, i) => ({ name: `${decay ? "decay" : "noDecay"}${i}`, size, decay, entries }));
}

/** Full finetuning trains every parameter; with LoRA only the adapter's. */
export function layoutParameters(
  decoder: Decoder,
  lora: Lora,
  method: "full" | "lora",
  frozenWeights: FrozenWeights = "float32",
): ParameterLayout {
  const trainable = method === "lora" ? lora.parameters : decoder.parameters;
  if (trainable.length === 0)
    badInput("training method lora", "an adapter with at least one module", "none", "Give LoRA target modules");
  return {
    groups: [
      ...pack(
        trainable.filter((spec) => spec.decay),
        true,
      ),
      ...pack(
        trainable.filter((spec) => !spec.decay),
        false,
      ),
    ],
    // A full finetune of an adapted student would train the base under a frozen adapter: the adapter is merged first.
    frozen: method === "lora" ? decoder.parameters : [],
    // Not tables and heads: a whole one would be cast for a few rows, and be there twice while it is used.
    halved: new Set(
      method === "lora" && frozenWeights === "float16"
        ? decoder.parameters.flatMap(({ name, linear }) =>
            linear === undefined || linear.module === decoder.head.module ? [] : [name],
          )
        : [],
    ),
  };
}

/** Access to parameters inside one graph; inputs are declared when first used. */
export class BoundParameters {
  readonly #builder: GraphBuilder;
  readonly #frozen: ReadonlyMap<string, ParameterSpec>;
  readonly #location: ReadonlyMap<string, { readonly group: LayoutGroup; readonly entry: LayoutEntry }>;
  readonly #halved: ReadonlySet<string>;
  readonly #values = new Map<string, Value>();
  readonly #groupInputs = new Map<string, Value>();

  constructor(builder: GraphBuilder, layout: ParameterLayout) {
    this.#builder = builder;
    this.#frozen = new Map(layout.frozen.map((spec) => [spec.name, spec]));
    this.#halved = layout.halved;
    this.#location = new Map(
      layout.groups.flatMap((group) => group.entries.map((entry) => [entry.spec.name, { group, entry }] as const)),
    );
  }

  /** The value of a parameter; a trainable one is a reshaped slice of its group's input `param.<group>`. */
  get(name: string): Value {
    const known = this.#values.get(name);
    if (known !== undefined) return known;
    const value = this.#bind(name);
    this.#values.set(name, value);
    return value;
  }

  #bind(name: string): Value {
    const g = this.#builder;
    const frozen = this.#frozen.get(name);
    if (frozen !== undefined && this.#halved.has(name))
      return g.cast(g.input(name, "float16", frozen.shape), "float32");
    if (frozen !== undefined) return g.input(name, "float32", frozen.shape);
    const found = this.#location.get(name);
    invariant(found !== undefined, `no parameter '${name}' in the layout`);
    const { group, entry } = found;
    let flat = this.#groupInputs.get(group.name);
    if (flat === undefined) {
      flat = g.input(`param.${group.name}`, "float32", [group.size]);
      this.#groupInputs.set(group.name, flat);
    }
    const slice = entry.size === group.size ? flat : g.slice(flat, [entry.offset], [entry.offset + entry.size], [0]);
    return g.reshape(slice, entry.spec.shape);
  }
}
