/**
 * @file A decoder of its parts: embedding, blocks, last norm, output head. Families
 * describe the parts; parameters, checkpoint names and the forward pass follow.
 */
import type { Value } from "../onnx/types.ts";
import type { SequenceLayer } from "./blocks.ts";
import { layerScope, type Decoder, type OutputHead, type ParameterSpec } from "./family.ts";
import { linear, type Layer } from "./layers.ts";
import { rowCount } from "./modules.ts";

export interface DecoderParts {
  readonly family: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
  /** Module name of the token embedding, what its vectors are multiplied by, and the module of learned positions. */
  readonly embedding: { readonly module: string; readonly scale?: number; readonly positions?: string };
  /** In their order. */
  readonly blocks: readonly SequenceLayer[];
  readonly norm: Layer;
  readonly head: OutputHead;
  /** What names of the base model begin with; checkpoints of the bare base model leave it out. */
  readonly prefix: string;
  /** Tensor names of buffers, which are no parameters. */
  readonly buffers?: RegExp;
  /** Other names of tensors, by the names they have here. */
  readonly aliases?: Readonly<Record<string, string>>;
}

/** Buffers of many families' checkpoints: rotary frequencies. */
const ROTARY_BUFFERS = /\.rotary_emb\.inv_freq$/;

/** The decoder that the parts make. */
export function assembleDecoder(parts: DecoderParts): Decoder {
  const { family, vocabSize, hiddenSize, tieWordEmbeddings, blocks, norm, head, prefix, maxPositionEmbeddings } = parts;
  const tokens = `${parts.embedding.module}.weight`;
  const positions = parts.embedding.positions && `${parts.embedding.positions}.weight`;
  const table = (name: string, rows: number): ParameterSpec => ({ name, shape: [rows, hiddenSize], decay: true });
  const untied = linear(head.module, hiddenSize, vocabSize, { bias: head.bias }).parameters;
  const parameters: readonly ParameterSpec[] = [
    table(tokens, vocabSize),
    ...(positions === undefined ? [] : [table(positions, maxPositionEmbeddings)]),
    ...blocks.flatMap((block) => block.parameters),
    ...norm.parameters,
    ...untied.filter((spec) => !tieWordEmbeddings || spec.linear === undefined),
  ];
  const names = new Set(parameters.map((spec) => spec.name));

  return {
    family,
    vocabSize,
    hiddenSize,
    numHiddenLayers: blocks.length,
    numKeyValueHeads: parts.kvHeads,
    headDim: parts.headDim,
    maxPositionEmbeddings,
    tieWordEmbeddings,
    embedding: tokens,
    head,
    parameters,
    canonicalName: (stored) => {
      if (ROTARY_BUFFERS.test(stored) || parts.buffers?.test(stored) === true) return undefined;
      const name = parts.aliases?.[stored] ?? stored;
      // transformers ignores a stored head when it is tied to the embedding.
      if (tieWordEmbeddings && name === `${head.module}.weight`) return undefined;
      return !names.has(name) && names.has(`${prefix}${name}`) ? `${prefix}${name}` : name;
    },
    hiddenStates: (context, ids, sequence) => {
      const g = context.builder;
      let embedded: Value = g.gather(context.parameter(tokens), ids);
      if (parts.embedding.scale !== undefined) embedded = g.scale(embedded, parts.embedding.scale);
      if (positions !== undefined)
        embedded = g.add(embedded, g.gather(context.parameter(positions), sequence.positions("int32")));
      let x = g.reshape(embedded, [rowCount(sequence), hiddenSize]);
      blocks.forEach((block, i) => {
        const rows = i === blocks.length - 1 ? sequence.outputRows : undefined;
        x = g.scope(layerScope(i), () => block.apply(context, x, sequence, rows));
      });
      return norm.apply(context, x);
    },
  };
}
