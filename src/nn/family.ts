/**
 * @file What a model family is: a config parser, the list of its parameters under
 * transformers' names, and the modules between token ids and final hidden states.
 * Everything else (loss, LoRA, gradients, optimizer, generation) is the same for all.
 */
import type { Value } from "../onnx/types.ts";
import type { ModelContext } from "./context.ts";
import type { Sequence } from "./modules.ts";
import type { RawConfig } from "./rawConfig.ts";

/** A parameter under its transformers name. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** Weight decay applies, as in transformers' Trainer: not to norms and biases. */
  readonly decay: boolean;
  /**
   * Set when the parameter is the weight of a linear layer that LoRA may target.
   * `out-in` is torch.nn.Linear's layout [out, in]; `in-out` GPT-2's Conv1D [in, out].
   */
  readonly linear?: { readonly module: string; readonly layout: "out-in" | "in-out" };
}

/** What makes logits of final hidden states: a linear layer, whose weight is the input embedding when tied. */
export interface OutputHead {
  /** The linear layer's name. */
  readonly module: string;
  readonly bias: boolean;
  /** Logits z become `c · tanh(z / c)`. */
  readonly softCap?: number;
}

/** A parsed model: sizes shared by all families, parameters, and its forward pass. */
export interface Decoder {
  readonly family: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
  /** Name of the input embedding, also the output head when tied. */
  readonly embedding: string;
  readonly head: OutputHead;
  readonly parameters: readonly ParameterSpec[];
  /** Parameter name for a tensor name found in a checkpoint (prefixes differ); undefined for buffers to be ignored. */
  canonicalName(checkpointName: string): string | undefined;
  /** Final hidden states [B·T, D] (after the last norm) for `ids` int32 [B, T]; with `sequence.outputRows` only those rows, in that order. */
  hiddenStates(context: ModelContext, ids: Value, sequence: Sequence): Value;
  /** Set for a model read from a file instead of a config. */
  readonly imported?: ImportedForward;
}

/** What a model read from an ONNX file does in its own way. */
export interface ImportedForward {
  /** Operator set of its nodes. */
  readonly opset: number;
  /** Whether it generates with its cache; else every token costs a run over the whole text. */
  readonly cached: boolean;
  /** How many parts, one after another, its forward pass is emitted in: each in the scope `layerScope` of its number. */
  readonly segments: number;
  /** Logits [M, V] of hidden states [M, D], or the given logits where the file does not tell one from the other. */
  logits(context: ModelContext, hidden: Value): Value;
}

/** The scope that the nodes of layer `i` are built in. */
export function layerScope(i: number): string {
  return `layers.${i}`;
}

export interface Family {
  /** `model_type` values of config.json. */
  readonly modelTypes: readonly string[];
  parse(config: RawConfig): Decoder;
}
