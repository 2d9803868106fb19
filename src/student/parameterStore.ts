/**
 * @file The parameters of one student on its engine: frozen tensors uploaded once,
 * trainable groups as flat buffers that the optimizer replaces. Owns all of them.
 */
import { badInput, invariant } from "../core/errors.ts";
import { float32ToFloat16 } from "../formats/float16.ts";
import { formatShape, sameShape } from "../onnx/shapes.ts";
import { tensorToFloat16 } from "../onnx/toFloat16.ts";
import type { Tensor } from "../onnx/types.ts";
import type { DeviceTensor, Engine, Session } from "../runtime/types.ts";
import type { BaseWeights } from "./baseWeights.ts";
import { AGAIN } from "./graphs.ts";
import type { LayoutGroup, ParameterLayout } from "./parameterLayout.ts";
import { floatData } from "./weights.ts";

/** Host values by parameter name. */
export type HostParameters = ReadonlyMap<string, Float32Array>;

function flatten(group: LayoutGroup, values: HostParameters): Tensor {
  const data = new Float32Array(group.size);
  for (const { spec, offset, size } of group.entries) {
    const source = values.get(spec.name);
    if (source === undefined) badInput("parameters", `a value for '${spec.name}'`, "none");
    if (source.length !== size)
      badInput(`parameter '${spec.name}'`, `${size} values ${formatShape(spec.shape)}`, String(source.length));
    data.set(source, offset);
  }
  return { type: "float32", shape: [group.size], data };
}

export class ParameterStore {
  readonly layout: ParameterLayout;
  readonly #engine: Engine;
  readonly #frozen = new Map<string, DeviceTensor>();
  readonly #groups = new Map<string, DeviceTensor>();

  private constructor(engine: Engine, layout: ParameterLayout) {
    this.#engine = engine;
    this.layout = layout;
  }

  /**
   * Uploads everything, one tensor or group at a time: frozen parameters from `base`, trainable ones from `trainable`
   * or, without it, from `base` too. @throws BadInputError when a value is missing or has another size.
   */
  static async create(
    engine: Engine,
    layout: ParameterLayout,
    base: BaseWeights,
    trainable?: HostParameters,
  ): Promise<ParameterStore> {
    const store = new ParameterStore(engine, layout);
    try {
      if (layout.frozen.length > 0)
        await base.read(async (read) => {
          for (const spec of layout.frozen) {
            const tensor = await read(spec.name);
            invariant(sameShape(tensor.shape, spec.shape), `weights hold '${spec.name}'`);
            const stored = layout.halved.has(spec.name) ? tensorToFloat16(tensor, spec.name, float32ToFloat16) : tensor;
            store.#frozen.set(spec.name, engine.upload(stored, "weights"));
          }
        });
      if (trainable === undefined) await store.load(base);
      else store.write(trainable);
      return store;
    } catch (error) {
      store.dispose();
      throw error;
    }
  }

  get trainableCount(): number {
    return this.layout.groups.reduce((sum, group) => sum + group.size, 0);
  }

  /** Current buffer of a trainable group; owned by the store. */
  group(name: string): DeviceTensor {
    const tensor = this.#groups.get(name);
    invariant(tensor !== undefined, `no parameter group '${name}'`);
    return tensor;
  }

  /** Makes `next` the group's buffer and returns the one it replaces, now owned by the caller. */
  swap(name: string, next: DeviceTensor): DeviceTensor {
    const previous = this.group(name);
    this.#groups.set(name, next);
    return previous;
  }

  /** The parameter feeds that a session declares. */
  feeds(session: Session): Record<string, DeviceTensor> {
    const feeds: Record<string, DeviceTensor> = {};
    for (const name of session.inputNames) {
      const own = name.endsWith(AGAIN) ? name.slice(0, -AGAIN.length) : name;
      const tensor = own.startsWith("param.") ? this.group(own.slice("param.".length)) : this.#frozen.get(own);
      if (tensor !== undefined) feeds[name] = tensor;
    }
    return feeds;
  }

  /** Host copy of the trainable parameters (a GPU→CPU sync). */
  async read(): Promise<Map<string, Float32Array>> {
    const out = new Map<string, Float32Array>();
    for (const group of this.layout.groups) {
      const { data } = await this.#engine.read(this.group(group.name));
      invariant(data instanceof Float32Array, "parameters are float32");
      for (const { spec, offset, size } of group.entries) out.set(spec.name, data.slice(offset, offset + size));
    }
    return out;
  }

  /** Replaces the trainable parameters: all of them or, when something is wrong, none. @throws BadInputError for a missing, unknown or wrongly sized value. */
  write(values: HostParameters): void {
    const flat = this.layout.groups.map((group) => ({ group, tensor: flatten(group, values) }));
    const known = new Set(this.layout.groups.flatMap((group) => group.entries.map((entry) => entry.spec.name)));
    for (const name of values.keys())
      if (!known.has(name))
        badInput("parameters", "values of this student's trainable parameters", `one for '${name}'`);
    for (const { group, tensor } of flat) this.#replace(group, tensor);
  }

  /** Replaces the trainable parameters by those of `base`, group by group: where reading fails, some are new. */
  async load(base: BaseWeights): Promise<void> {
    await base.read(async (read) => {
      for (const group of this.layout.groups) {
        const data = new Float32Array(group.size);
        for (const { spec, offset } of group.entries) data.set(floatData(await read(spec.name), spec.name), offset);
        this.#replace(group, { type: "float32", shape: [group.size], data });
      }
    });
  }

  #replace(group: LayoutGroup, tensor: Tensor): void {
    const next = this.#engine.upload(tensor, "trainable");
    this.#groups.get(group.name)?.dispose();
    this.#groups.set(group.name, next);
  }

  dispose(): void {
    for (const tensor of [...this.#frozen.values(), ...this.#groups.values()]) if (!tensor.disposed) tensor.dispose();
    this.#frozen.clear();
    this.#groups.clear();
  }
}
