/**
 * @file A decoder from an ONNX model (Optimum's or transformers.js' layout): its graph
 * becomes the forward pass of a student like any family's, so that scores, gradients,
 * LoRA and generation work on it unchanged. Not here: files (`student/onnxStudent.ts`).
 */
import { badInput } from "../../core/errors.ts";
import { ONNX_OPSET } from "../../onnx/builder.ts";
import { neededNodes, usedNames } from "../../onnx/neededNodes.ts";
import type { Graph, Node, Shape, Tensor, Value } from "../../onnx/types.ts";
import type { ModelContext } from "../context.ts";
import { layerScope, type Decoder } from "../family.ts";
import { rowCount, type Sequence } from "../modules.ts";
import type { RawConfig } from "../rawConfig.ts";
import { findSegments } from "./findSegments.ts";
import { SEQUENCE_ATTENTION } from "./fusedOperators.ts";
import { Replay } from "./replay.ts";
import { findWeights, type WeightRoles } from "./weightRoles.ts";

/** A decoder and its weights, read from a file. */
export interface ImportedDecoder {
  readonly decoder: Decoder;
  /** Weights by parameter name; the graph's own data, not copied. */
  readonly weights: ReadonlyMap<string, Tensor>;
  /** Where each parameter is stored. */
  readonly places: readonly WeightPlace[];
}

/** An initializer that holds a parameter. */
export interface WeightPlace {
  readonly parameter: string;
  readonly initializer: string;
  /** It holds the transpose: exporters write the table of a tied output head a second time. */
  readonly transposed: boolean;
}

/** Keys under which configs name the longest text. */
const POSITION_KEYS = ["max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"];

/** Nodes between the output head's product and the logits that act on each element alone. */
const ELEMENTWISE: ReadonlySet<string> = new Set(["Add", "Sub", "Mul", "Div", "Tanh"]);
const PASSED: ReadonlySet<string> = new Set(["Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze"]);

interface CacheNames {
  readonly k: string;
  readonly v: string;
}

/** What the inputs and outputs of the model are for. */
interface Ports {
  readonly ids: string;
  readonly mask: string | undefined;
  readonly positions: string | undefined;
  readonly past: readonly CacheNames[];
  readonly present: readonly CacheNames[];
  /** Inputs with a value that never changes. */
  readonly fixed: ReadonlyMap<string, Tensor>;
  readonly logits: string;
}

const scalarInput = (value: bigint): Tensor => ({ type: "int64", shape: [], data: BigInt64Array.of(value) });

function findPorts(graph: Graph, where: string): Ports {
  const names = new Set(graph.inputs.map(({ name }) => name));
  const integers = graph.inputs.filter(({ type, shape }) => type.startsWith("int") && shape.length === 2);
  const ids = names.has("input_ids") ? "input_ids" : integers.length === 1 ? integers[0]?.name : undefined;
  const found = graph.inputs.map(({ name, type, shape }) => `${name} ${type}[${shape.join(",")}]`).join(", ");
  if (ids === undefined) badInput(where, "an input input_ids [batch, tokens]", found);
  const caches = (values: readonly Value[], pattern: RegExp): CacheNames[] => {
    const parts = new Map<number, { k?: string; v?: string }>();
    for (const { name } of values) {
      const match = pattern.exec(name);
      if (match === null) continue;
      const layer = Number(match[1]);
      const part = parts.get(layer) ?? {};
      parts.set(layer, match[2] === "key" ? { ...part, k: name } : { ...part, v: name });
    }
    return Array.from({ length: parts.size }, (_, layer) => {
      const { k, v } = parts.get(layer) ?? {};
      return k === undefined || v === undefined
        ? badInput(where, `a key and a value cache of layer ${layer}`, [...parts.keys()].join(", "))
        : { k, v };
    });
  };
  const past = caches(graph.inputs, /^past_key_values?\.(\d+)\.(?:decoder\.)?(key|value)s?$/);
  const present = caches(graph.outputs, /^present(?:_key_values)?\.(\d+)\.(?:decoder\.)?(key|value)s?$/);
  const fixed = new Map<string, Tensor>();
  for (const { name, type, shape } of graph.inputs) {
    if (name === "use_cache_branch")
      fixed.set(name, { type: "bool", shape: shape.length === 0 ? [] : [1], data: Uint8Array.of(0) });
    else if (name === "num_logits_to_keep" || name === "logits_to_keep")
      fixed.set(name, type === "int64" ? scalarInput(0n) : badInput(where, `input ${name} of type int64`, type));
  }
  const known = new Set([
    ids,
    "attention_mask",
    "position_ids",
    ...fixed.keys(),
    ...past.flatMap(({ k, v }) => [k, v]),
  ]);
  const strange = graph.inputs.filter(({ name }) => !known.has(name)).map(({ name }) => name);
  if (strange.length > 0)
    badInput(
      where,
      "inputs of a decoder (input_ids, attention_mask, position_ids, past_key_values.N.key and .value)",
      strange.join(", "),
      "Export the text model alone, with Optimum's task text-generation",
    );
  const logits = graph.outputs.find(({ name }) => name === "logits")?.name;
  if (logits === undefined)
    badInput(
      where,
      "an output logits",
      graph.outputs.map(({ name }) => name).join(", "),
      "Export the model with its language-modelling head",
    );
  return {
    ids,
    mask: names.has("attention_mask") ? "attention_mask" : undefined,
    positions: names.has("position_ids") ? "position_ids" : undefined,
    past,
    present,
    fixed,
    logits,
  };
}

/** Where hidden states end and logits begin. */
interface Head {
  readonly node: Node;
  /** Elementwise nodes after it, in order. */
  readonly tail: readonly Node[];
}

/** The last product with a weight matrix, if only elementwise nodes follow it. */
function findHead(graph: Graph, roles: WeightRoles, logits: string): Head | undefined {
  const producer = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const depends = (name: string): Node | undefined => {
    const node = producer.get(name);
    return node?.domain === "" ? node : undefined;
  };
  const tail: Node[] = [];
  let node = depends(logits);
  while (node !== undefined && !roles.linears.has(node)) {
    const isPassed = PASSED.has(node.opType);
    if (!isPassed && !ELEMENTWISE.has(node.opType)) return undefined;
    tail.push(node);
    // The other operand is a constant: a scalar, or a bias over the vocabulary.
    const inputs = isPassed ? node.inputs.slice(0, 1) : node.inputs;
    const own = inputs.filter((name) => !graph.initializers.has(name) && depends(name)?.opType !== "Constant");
    if (own.length !== 1) return undefined;
    node = depends(own[0] ?? "");
  }
  return node === undefined ? undefined : { node, tail: tail.reverse() };
}

/** Whether `a` [R, C] and `b` hold the same values, `b` transposed [C, R] where that is said. */
function sameValues(a: Tensor, b: Tensor, transposed: boolean): boolean {
  const [rows = 0, columns = 0] = a.shape;
  const [p, q] = transposed ? [columns, rows] : [rows, columns];
  if (b.shape.length !== 2 || b.shape[0] !== p || b.shape[1] !== q) return false;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      if (a.data[row * columns + column] !== b.data[transposed ? column * rows + row : row * columns + column])
        return false;
  }
  return true;
}

/** The roles with the output head's matrix taken for the embedding's where it is a copy of it, and that copy. */
function tieHead(
  graph: Graph,
  roles: WeightRoles,
  head: Head | undefined,
): { readonly roles: WeightRoles; readonly copy?: { readonly initializer: string; readonly transposed: boolean } } {
  const linear = head && roles.linears.get(head.node);
  const embedding = roles.embedding;
  if (head === undefined || linear === undefined || embedding === undefined || linear.initializer === embedding)
    return { roles };
  const [table, matrix] = [graph.initializers.get(embedding), graph.initializers.get(linear.initializer)];
  if (table === undefined || matrix === undefined) return { roles };
  const transposed = linear.layout === "in-out";
  if (!sameValues(table, matrix, transposed)) return { roles };
  const parameters = new Map(roles.parameters);
  parameters.delete(linear.initializer);
  const linears = new Map(roles.linears);
  linears.set(head.node, { ...linear, initializer: embedding, layout: "out-in" });
  return { roles: { ...roles, parameters, linears }, copy: { initializer: linear.initializer, transposed } };
}

function numberAt(shape: Shape | undefined, axis: number): number | undefined {
  const dim = shape?.at(axis);
  return typeof dim === "number" ? dim : undefined;
}

/**
 * A decoder that computes what `graph` does (float32, operator set 17 or later, sizes
 * unbound) and its weights.
 * @throws BadInputError when inputs and outputs are not those of a decoder, or no weight is found.
 */
export function importDecoder(graph: Graph, config: RawConfig, where: string): ImportedDecoder {
  const ports = findPorts(graph, where);
  const found = findWeights(graph, ports.logits, ports.ids);
  const head = findHead(graph, found, ports.logits);
  const { roles, copy } = config.flag("tie_word_embeddings", true) ? tieHead(graph, found, head) : { roles: found };
  if (roles.embedding === undefined)
    badInput(
      where,
      "a table of embeddings that the input ids are looked up in",
      "none",
      "Quantised embeddings cannot be trained here; use a float32 or float16 model",
    );
  // Only linear layers read these: they take the weight itself, not what the file makes of it.
  const operands = new Set([...roles.linears.keys()].map((node) => node.inputs[1] ?? ""));
  for (const node of graph.nodes)
    if (!roles.linears.has(node)) for (const input of usedNames(node)) operands.delete(input);
  // The forward pass keeps no weights: they are the caller's, to hold or to let go.
  const stored = new Set([...roles.parameters.keys(), ...(copy === undefined ? [] : [copy.initializer])]);
  const forward: Graph = {
    ...graph,
    initializers: new Map([...graph.initializers].filter(([name]) => !stored.has(name))),
  };
  const valueShape = (name: string): Shape | undefined => graph.values.get(name)?.shape;
  const embeddingShape = graph.initializers.get(roles.embedding)?.shape;
  const headSpec = head && roles.parameters.get(roles.linears.get(head.node)?.initializer ?? "");
  const vocabSize = numberAt(valueShape(ports.logits), -1) ?? config.size("vocab_size");
  const positionKey = POSITION_KEYS.find((key) => config.has(key));
  if (positionKey === undefined)
    badInput(`${where}: config.json`, `the longest text (${POSITION_KEYS.join(", ")})`, "none");
  const cacheShape = valueShape(ports.past[0]?.k ?? "");
  const [kvHeads, headDim] = [numberAt(cacheShape, 1), numberAt(cacheShape, 3)];
  const nodes = neededNodes(graph.nodes, [ports.logits]);
  const ownAttention = nodes.some(({ opType }) => opType === SEQUENCE_ATTENTION);
  const cached =
    ports.past.length > 0 &&
    ports.present.length === ports.past.length &&
    ports.mask !== undefined &&
    (ports.positions !== undefined || ownAttention) &&
    cacheShape?.length === 4 &&
    kvHeads !== undefined &&
    headDim !== undefined;
  const layers = new Map(ports.past.flatMap(({ k }, layer) => [[k, layer] as const]));
  let attentionCount = 0;
  const orderOf = new Map(
    nodes.flatMap((node) => (node.opType === SEQUENCE_ATTENTION ? [[node, attentionCount++] as const] : [])),
  );
  const layerOf = (node: Node): number => layers.get(node.inputs[3] ?? "") ?? orderOf.get(node) ?? 0;
  const ofSequence = new Set([...orderOf.keys()].flatMap((node) => node.outputs.slice(1)));
  for (const node of graph.nodes)
    if (node.opType === "Identity" && ofSequence.has(node.inputs[0] ?? "")) ofSequence.add(node.outputs[0] ?? "");
  const hiddenName = head === undefined ? ports.logits : (head.node.inputs[0] ?? "");
  const segments = findSegments(neededNodes(forward.nodes, [hiddenName], operands), roles.embedding, (node) =>
    roles.linears.has(node),
  );

  const bindInputs = (context: ModelContext, sequence: Sequence): Map<string, Value> => {
    const g = context.builder;
    const own = sequence.modelInputs ?? badInput(where, "a graph that models of files can stand in", "another one");
    const given = new Map<string, Value>();
    if (ports.mask !== undefined) given.set(ports.mask, own.attentionMask());
    if (ports.positions !== undefined) given.set(ports.positions, sequence.positions("int64"));
    for (const [name, tensor] of ports.fixed) given.set(name, g.initializer(tensor));
    ports.past.forEach((names, layer) => {
      const shape = [sequence.batch, kvHeads ?? 1, 0, headDim ?? 1].map(Number);
      const empty = (): Value => g.initializer({ type: "float32", shape, data: new Float32Array(0) });
      // The sequence keeps the cache of attention that is written out here.
      const cache = orderOf.size > 0 ? undefined : own.past(layer);
      given.set(names.k, cache?.k ?? empty());
      given.set(names.v, cache?.v ?? empty());
    });
    return given;
  };

  const decoder: Decoder = {
    family: "onnx",
    vocabSize,
    hiddenSize:
      head === undefined ? vocabSize : (numberAt(valueShape(hiddenName), -1) ?? numberAt(embeddingShape, 1) ?? 1),
    numHiddenLayers: cached ? ports.past.length : 0,
    numKeyValueHeads: kvHeads ?? 1,
    headDim: headDim ?? 1,
    maxPositionEmbeddings: config.size(positionKey),
    tieWordEmbeddings: headSpec?.linear === undefined,
    embedding: roles.parameters.get(roles.embedding)?.name ?? roles.embedding,
    head: { module: headSpec?.linear?.module ?? "lm_head", bias: false },
    parameters: [...roles.parameters.values()],
    canonicalName: (name) => name,
    hiddenStates(context, ids, sequence) {
      const { present } = sequence.modelInputs ?? {};
      const caches = present === undefined ? [] : ports.present.filter(({ k }) => !ofSequence.has(k));
      const results = [hiddenName, ...caches.flatMap(({ k, v }) => [k, v])];
      const replay = new Replay({
        context,
        graph: forward,
        roles,
        sequence,
        ids: { name: ports.ids, value: ids },
        given: bindInputs(context, sequence),
        layerOf,
        scopeOf: (node) => {
          const segment = segments.of.get(node);
          return segment === undefined ? undefined : layerScope(segment);
        },
      });
      replay.emit(neededNodes(forward.nodes, results, operands));
      for (const names of caches) present?.(ports.present.indexOf(names), replay.value(names.k), replay.value(names.v));
      const hidden = replay.value(hiddenName);
      const all = context.builder.reshape(hidden, [rowCount(sequence), hidden.shape.at(-1) ?? 1]);
      return sequence.outputRows === undefined ? all : context.builder.gather(all, sequence.outputRows);
    },
    imported: {
      opset: graph.opsets[""] ?? ONNX_OPSET,
      cached,
      segments: segments.count,
      logits(context, hidden) {
        if (head === undefined) return hidden;
        const replay = new Replay({ context, graph: forward, roles, given: new Map() });
        let y = replay.linear(head.node, hidden);
        let name = head.node.outputs[0] ?? "";
        for (const node of head.tail) {
          if (ELEMENTWISE.has(node.opType)) {
            const elementwise = new Replay({ context, graph: forward, roles, given: new Map([[name, y]]) });
            elementwise.emit(neededNodes(forward.nodes, node.outputs, new Set([name])));
            y = elementwise.value(node.outputs[0] ?? "");
          }
          name = node.outputs[0] ?? "";
        }
        return y;
      },
    },
  };
  const places: WeightPlace[] = [...roles.parameters].map(([initializer, { name }]) => ({
    parameter: name,
    initializer,
    transposed: false,
  }));
  const weights = new Map(
    places.flatMap(({ parameter, initializer }) => {
      const tensor = graph.initializers.get(initializer);
      return tensor === undefined ? [] : [[parameter, tensor] as const];
    }),
  );
  return {
    decoder,
    weights,
    places: copy === undefined ? places : [...places, { parameter: decoder.embedding, ...copy }],
  };
}
