/**
 * @file The graph under construction together with its parameters. Modules ask it
 * for weights and linear layers; whether a weight is frozen, trained in full or
 * adapted by LoRA is decided here and nowhere else.
 */
import { invariant } from "../core/errors.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Value } from "../onnx/types.ts";
import type { Decoder, ParameterSpec } from "./family.ts";

/** LoRA on one linear layer: `y += scaling · (x Aᵀ) Bᵀ` with A [R, in], B [out, R]. */
export interface LoraModule {
  readonly loraA: string;
  readonly loraB: string;
  readonly r: number;
  readonly scaling: number;
}

export interface ModelContextOptions {
  readonly builder: GraphBuilder;
  readonly decoder: Decoder;
  /** Value of a parameter: an input, an initializer or a view of a flat buffer. */
  readonly parameter: (name: string) => Value;
  /** LoRA modules by module name. */
  readonly lora: ReadonlyMap<string, LoraModule>;
  /** Use ONNX Runtime's fused normalisation (default). Off: official ONNX operators only. */
  readonly fusedNorm?: boolean;
}

export class ModelContext {
  readonly builder: GraphBuilder;
  readonly decoder: Decoder;
  readonly fusedNorm: boolean;
  readonly #parameter: (name: string) => Value;
  readonly #lora: ReadonlyMap<string, LoraModule>;
  readonly #linears: ReadonlyMap<string, ParameterSpec>;
  readonly #shared = new Map<object, Value>();

  constructor(options: ModelContextOptions) {
    this.builder = options.builder;
    this.decoder = options.decoder;
    this.fusedNorm = options.fusedNorm ?? true;
    this.#parameter = options.parameter;
    this.#lora = options.lora;
    this.#linears = new Map(
      options.decoder.parameters.flatMap((spec) => (spec.linear ? [[spec.linear.module, spec] as const] : [])),
    );
  }

  /** A value that layers of this graph share: made for the first that asks with `key`. */
  shared(key: object, make: () => Value): Value {
    const value = this.#shared.get(key) ?? make();
    this.#shared.set(key, value);
    return value;
  }

  parameter(name: string): Value {
    return this.#parameter(name);
  }

  /** `x W (+ b) (+ LoRA)` for x [M, in]; returns [M, out]. `bias`: the module's own, or the given value [out]. */
  linear(x: Value, module: string, options: { readonly bias?: boolean | Value } = {}): Value {
    const g = this.builder;
    const spec = this.#linears.get(module);
    invariant(spec?.linear !== undefined, `no linear layer '${module}'`);
    const bias = options.bias ? { c: options.bias === true ? this.#parameter(`${module}.bias`) : options.bias } : {};
    const y = g.gemm(x, this.#parameter(spec.name), { transB: spec.linear.layout === "out-in", ...bias });
    const lora = this.#lora.get(module);
    if (lora === undefined) return y;
    const down = g.gemm(x, this.#parameter(lora.loraA), { transB: true }); // (M, R)
    return g.gemm(down, this.#parameter(lora.loraB), { transB: true, alpha: lora.scaling, c: y });
  }

  /** Logits [M, V] of hidden states [M, D]: the output head, tied or not. */
  logits(hidden: Value): Value {
    const { tieWordEmbeddings, embedding, head, imported } = this.decoder;
    if (imported !== undefined) return imported.logits(this, hidden);
    const raw = tieWordEmbeddings
      ? this.builder.gemm(hidden, this.#parameter(embedding), {
          transB: true,
          ...(head.bias ? { c: this.#parameter(`${head.module}.bias`) } : {}),
        })
      : this.linear(hidden, head.module, { bias: head.bias });
    return head.softCap === undefined ? raw : this.softCap(raw, head.softCap);
  }

  /** `c · tanh(x / c)`: x where it is small, never beyond ±c. */
  softCap(x: Value, cap: number): Value {
    const g = this.builder;
    return g.scale(g.tanh(g.scale(x, 1 / cap)), cap);
  }
}
