/**
 * @file A language model as a student: opened from a Hugging Face directory (and a
 * PEFT adapter) on an engine, then scored, finetuned, sampled, saved. Owns its
 * device tensors and sessions.
 */
import { badInput, invariant, TutelageError } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import type { FileSource } from "../formats/fileSource.ts";
import { parseJson } from "../formats/json.ts";
import { isTargeted, rankOf, scalingOf, type LoraConfig } from "../formats/loraConfig.ts";
import { ADAPTER_CONFIG_FILE, loadAdapter, type LoadedAdapter } from "../formats/peft.ts";
import { parseDecoder } from "../nn/families.ts";
import type { Decoder } from "../nn/family.ts";
import type { WeightPlace } from "../nn/imported/importDecoder.ts";
import { initializeLora, linearModules, NO_LORA, resolveLora, type Lora } from "../nn/lora.ts";
import type { Engine, EngineInfo } from "../runtime/types.ts";
import { encodeChatPrompt } from "../tokenizer/encodeChat.ts";
import { encodeRow, encodeRows } from "../tokenizer/encodeRow.ts";
import { loadTokenizer, type Tokenizer } from "../tokenizer/tokenizer.ts";
import { mergedWeights, openBaseWeights, weightsInMemory, type BaseWeights } from "./baseWeights.ts";
import { DEFAULT_GENERATION_BATCH, generateTokens } from "./generate.ts";
import { spellTokens } from "./spellTokens.ts";
import { findOnnxModel, readOnnxDecoder } from "./onnxFiles.ts";
import type { StudentBlueprint } from "./graphs.ts";
import { answersOutOfMemory } from "./memoryAdvice.ts";
import { checkWeightsFit, chooseMemory, uploadError } from "./memoryPlan.ts";
import { layoutParameters } from "./parameterLayout.ts";
import { ParameterStore, type HostParameters } from "./parameterStore.ts";
import { DEFAULT_SCORE_BATCH, scoreRows } from "./score.ts";
import { SessionCache } from "./sessionCache.ts";
import { innerProducts, meanStates, type SimilarityOptions } from "./similarity.ts";
import { spellLosses, tokenLosses } from "./tokenLosses.ts";
import { trainingNeeds } from "./trainingNeeds.ts";
import { Trainer, type TrainerState } from "./trainer.ts";
import type {
  EncodedRow,
  ExampleRow,
  FrozenWeights,
  GenerateOptions,
  Generation,
  Prompt,
  PromptCompletion,
  ScoreName,
  ScoreRow,
  SimilarityKind,
  StepRecord,
  Student,
  TokenLoss,
  TrainingNeeds,
  TrainMethod,
  TrainOptions,
} from "./types.ts";
import { floatData } from "./weights.ts";

export interface OpenStudentOptions {
  readonly source: FileSource;
  /** Path inside `source` of an ONNX model to make the student of; default: one at the usual places where there are no safetensors weights. */
  readonly onnx?: string;
  /** PEFT adapter to start from. With method `full` it is merged into the weights first. */
  readonly adapter?: FileSource;
  /** What training changes; ignored by scoring and generation. Default: LoRA when an adapter is given, else full. */
  readonly method?: TrainMethod;
  /** Seeds the start of a new adapter. */
  readonly seed?: number;
  /** How the device holds frozen weights (LoRA), by default as the method says: `float16` halves their size, and is exact for checkpoints in float16. */
  readonly frozenWeights?: FrozenWeights;
  /** Base weights of at most this many bytes stay in memory (see `KEPT_BYTES`); larger ones are read again when needed. */
  readonly keptBytes?: number;
  /**
   * Called when everything is checked and nothing is on the device yet; what it throws refuses the student.
   * For estimates of what a use of it would need.
   */
  readonly beforeUpload?: (student: StudentDescription) => void;
  readonly onWarning?: (message: string) => void;
}

/** A student as it is known before its weights are anywhere. */
export interface StudentDescription {
  readonly blueprint: StudentBlueprint;
  /** As `LanguageModel.encodeAll`. */
  readonly encodeAll: (rows: readonly ExampleRow[], truncate?: boolean) => EncodedRow[];
  /** As `LanguageModel.encode`. */
  readonly encode: (row: ExampleRow) => EncodedRow;
}

/** How files of a model on the hub are named: `org/name@<8 of its commit>`. */
const HUB_COMMIT = /^([^/\s]+\/[^/\s]+)@[0-9a-f]{8}$/;

/** Students up to this size generate in one run, and train without a look at memory where batches are small too. */
const SMALL_PARAMETERS = 30_000_000;

/** Of batch · length²: up to here attention takes little. */
const SMALL_ATTENTION = 2 ** 24;

/** What of an opened student does not change: shared by its methods and by saving. */
export interface Model {
  readonly decoder: Decoder;
  /** Of config.json, a JSON object. */
  readonly configText: string;
  readonly tokenizer: Tokenizer;
  readonly weights: BaseWeights;
  readonly lora: Lora;
  readonly loraConfig: LoraConfig | undefined;
  readonly source: FileSource;
  /** The model file that the student was made of, where that is ONNX: its path, and where in it each parameter is. */
  readonly onnx?: { readonly path: string; readonly places: readonly WeightPlace[] };
}

/** Opens a student. @throws BadInputError for anything wrong with the directory, the adapter or their fit. */
export async function openStudent(engine: Engine, options: OpenStudentOptions): Promise<LanguageModel> {
  const { onWarning: warn = () => undefined } = options;
  const frozenWeights = frozenWeightsOf(options);
  if (frozenWeights === "float16" && engine.ep === "webgpu" && !engine.info.features?.includes("shader-f16"))
    badInput(
      "frozen weights in float16",
      "a GPU with the feature shader-f16",
      engine.info.adapter ?? "another one",
      "Keep them in float32",
    );
  const { model, description, values } = await readStudent(options, warn);
  options.beforeUpload?.(description);
  const { blueprint } = description;
  const { name } = options.source;
  checkWeightsFit(blueprint, name, engine.ep, options.method !== undefined);
  try {
    const store = await ParameterStore.create(engine, blueprint.layout, model.weights, values);
    return new LanguageModel(engine, model, store, values, warn);
  } catch (error) {
    throw uploadError(blueprint, name, engine.ep, error);
  }
}

function frozenWeightsOf({ frozenWeights, method }: OpenStudentOptions): FrozenWeights {
  return frozenWeights ?? (method?.method === "lora" ? method.frozenWeights : undefined) ?? "float32";
}

/** What `openStudent` knows of a student before anything is on a device; needs no engine. @throws as `openStudent`. */
export async function describeStudent(options: OpenStudentOptions): Promise<StudentDescription> {
  return (await readStudent(options, options.onWarning ?? (() => undefined))).description;
}

/** Everything that is checked of a student, and where its weights are. */
async function readStudent(
  options: OpenStudentOptions,
  warn: (message: string) => void,
): Promise<{
  readonly model: Model;
  readonly description: StudentDescription;
  readonly values: HostParameters | undefined;
}> {
  const { source } = options;
  const where = `${source.name}/config.json`;
  const configText = await source.readText("config.json");
  const configJson = parseJson(configText, where);
  const onnxPath = options.onnx ?? (await findOnnxModel(source));
  const imported = onnxPath === undefined ? undefined : await readOnnxDecoder(source, onnxPath, configJson);
  const decoder = imported?.decoder ?? parseDecoder(configJson, where);
  const tokenizer = await loadTokenizer(source);
  for (const warning of tokenizer.warnings) warn(warning);
  if (tokenizer.vocabSize > decoder.vocabSize) {
    badInput(
      source.name,
      `a tokenizer of at most ${decoder.vocabSize} tokens (vocab_size in config.json)`,
      `${tokenizer.vocabSize} tokens`,
      "Tokenizer and weights belong to different models",
    );
  }
  for (const [role, id] of [
    ["a beginning", tokenizer.bosTokenId],
    ["an end", tokenizer.eosTokenId],
  ] as const) {
    if (id !== undefined && id >= decoder.vocabSize)
      badInput(
        source.name,
        `${role}-of-sequence token below vocab_size (${decoder.vocabSize})`,
        String(id),
        "Correct the token ids in config.json or tokenizer_config.json",
      );
  }
  let weights =
    imported === undefined
      ? await openBaseWeights(source, decoder, warn, options.keptBytes)
      : weightsInMemory(imported.weights);
  const adapter = options.adapter ? await loadAdapter(options.adapter) : undefined;
  for (const warning of adapter?.warnings ?? []) warn(warning);
  const method = options.method ?? (adapter ? undefined : { method: "full" as const });
  let lora = NO_LORA;
  let loraConfig: LoraConfig | undefined;
  let values: HostParameters | undefined;
  if (adapter !== undefined) {
    loraConfig = adapter.config;
    const name = options.adapter?.name ?? "adapter";
    const { baseModel } = adapter.config;
    const hint = `The adapter belongs to another model${baseModel === undefined ? "" : `: its ${ADAPTER_CONFIG_FILE} names ${baseModel}`}`;
    lora = loraOf(decoder, adapter.config, `${name}: target_modules`, hint);
    values = adapterValues(lora, adapter, name, hint);
    const id = HUB_COMMIT.exec(source.name)?.[1];
    if (id !== undefined && baseModel !== undefined && baseModel !== id)
      warn(`${name}: made for ${baseModel}, by its ${ADAPTER_CONFIG_FILE}; it is used with ${id}, whose shapes fit`);
    if (method?.method === "full") {
      weights = mergedWeights(weights, decoder, lora, values);
      lora = NO_LORA;
      loraConfig = undefined;
      values = undefined;
    }
  } else if (method?.method === "lora") {
    loraConfig = { r: method.r, loraAlpha: method.loraAlpha, targetModules: method.targetModules };
    checkTargets(decoder, method.targetModules);
    lora = loraOf(decoder, loraConfig);
    values = initializeLora(lora, new Rng(options.seed ?? 0).fork("lora"));
  }
  const model: Model = {
    decoder,
    configText,
    tokenizer,
    weights,
    lora,
    loraConfig,
    source,
    ...(imported === undefined || onnxPath === undefined ? {} : { onnx: { path: onnxPath, places: imported.places } }),
  };
  const layout = layoutParameters(decoder, lora, loraConfig === undefined ? "full" : "lora", frozenWeightsOf(options));
  const encodeAll = (rows: readonly ExampleRow[], truncate?: boolean): EncodedRow[] =>
    encodeNumbered(tokenizer, decoder, rows, truncate, warn);
  const encode = (row: ExampleRow): EncodedRow =>
    encodeRow(tokenizer, row, { maxPositions: decoder.maxPositionEmbeddings });
  return { model, description: { blueprint: { decoder, lora, layout }, encodeAll, encode }, values };
}

/** A student whose weights can be written: an open one, or one of which only the files were read. */
export interface SavableStudent {
  readonly model: Model;
  /** The weights as they are now under their transformers names, an adapter merged in. */
  currentWeights(): Promise<BaseWeights>;
}

/** A student as its files and its adapter's hold it; needs no engine. @throws as `openStudent`. */
export async function readStudentFiles(options: Omit<OpenStudentOptions, "method">): Promise<SavableStudent> {
  const warn = options.onWarning ?? (() => undefined);
  const { model } = await readStudent({ ...options, method: { method: "full" } }, warn);
  return { model, currentWeights: async () => model.weights };
}

/** Why float16 would not be faster there, or not even run; undefined where it may. */
function noFloat16({ ep, info }: Engine): string | undefined {
  if (ep !== "webgpu") return `the provider ${ep}, which computes in float32`;
  return info.features?.includes("shader-f16") ? undefined : (info.adapter ?? "a GPU without it");
}

function loraOf(decoder: Decoder, config: LoraConfig, where?: string, hint?: string): Lora {
  return resolveLora(
    decoder,
    (module) =>
      isTargeted(config, module, decoder.head.module)
        ? { r: rankOf(config, module), scaling: scalingOf(config, module) }
        : undefined,
    where,
    hint,
  );
}

function encodeNumbered(
  tokenizer: Tokenizer,
  { maxPositionEmbeddings }: Decoder,
  rows: readonly ExampleRow[],
  truncate = false,
  warn: (message: string) => void,
): EncodedRow[] {
  const named = rows.map((row, i) => (row.id === undefined ? { ...row, id: String(i + 1) } : row));
  const encoded = encodeRows(tokenizer, named, { maxPositions: maxPositionEmbeddings, truncate });
  for (const warning of encoded.warnings) warn(warning);
  return [...encoded.rows];
}

/** Every name that was asked for must match: PEFT would skip a misspelt one silently. */
function checkTargets(decoder: Decoder, targets: "all-linear" | readonly string[]): void {
  if (targets === "all-linear") return;
  const modules = linearModules(decoder);
  for (const target of targets) {
    if (!modules.some((module) => module === target || module.endsWith(`.${target}`))) {
      badInput(
        "LoRA target modules",
        `names of linear layers (${[...new Set(modules.map((module) => module.split(".").at(-1)))].join(", ")}) or all-linear`,
        JSON.stringify(target),
      );
    }
  }
}

/** The adapter's factors, which must be those of `lora` one to one; `hint` is said where they are not. */
function adapterValues(lora: Lora, adapter: LoadedAdapter, where: string, hint: string): HostParameters {
  const out = new Map<string, Float32Array>();
  const shapes = new Map(lora.parameters.map((spec) => [spec.name, spec.shape.join()]));
  for (const [module, { loraA, loraB }] of lora.modules) {
    const factors = adapter.modules.get(module);
    if (factors === undefined) badInput(where, `factors for the target '${module}'`, "none", hint);
    for (const [name, tensor] of [
      [loraA, factors.loraA],
      [loraB, factors.loraB],
    ] as const) {
      if (tensor.shape.join() !== shapes.get(name))
        badInput(`${where}: '${name}'`, `shape [${shapes.get(name)}]`, `[${tensor.shape.join()}]`, hint);
      out.set(name, floatData(tensor, name));
    }
  }
  for (const module of adapter.modules.keys())
    if (!lora.modules.has(module)) badInput(where, "factors of the model's linear layers only", `'${module}'`, hint);
  return out;
}

export class LanguageModel implements Student, SavableStudent {
  readonly model: Model;
  readonly #engine: Engine;
  /** What the adapter started with; without one the base weights are what training starts with. */
  readonly #initial: HostParameters | undefined;
  readonly #store: ParameterStore;
  readonly #sessions: SessionCache;
  readonly #warn: (message: string) => void;
  #training = false;
  #disposed = false;

  /** Use `openStudent`. Borrows the engine, owns the store. */
  constructor(
    engine: Engine,
    model: Model,
    store: ParameterStore,
    initial: HostParameters | undefined,
    warn: (message: string) => void,
  ) {
    this.model = model;
    this.#warn = warn;
    this.#engine = engine;
    this.#initial = initial;
    this.#store = store;
    this.#sessions = new SessionCache(engine, { decoder: model.decoder, lora: model.lora, layout: store.layout });
  }

  get engine(): EngineInfo {
    return this.#engine.info;
  }

  get parameters(): { readonly total: number; readonly trainable: number } {
    const base = this.model.decoder.parameters.reduce((sum, spec) => sum + spec.shape.reduce((a, b) => a * b, 1), 0);
    const trainable = this.#store.trainableCount;
    return { total: base + (this.model.loraConfig === undefined ? 0 : trainable), trainable };
  }

  get maxPositions(): number {
    return this.model.decoder.maxPositionEmbeddings;
  }

  encode(row: ExampleRow, options: { readonly truncate?: boolean } = {}): EncodedRow {
    return encodeRow(this.model.tokenizer, row, {
      maxPositions: this.maxPositions,
      truncate: options.truncate ?? false,
    });
  }

  /** Tokenized rows; rows without an id are numbered from 1. @throws BadInputError naming a row that does not fit. */
  encodeAll(rows: readonly ExampleRow[], truncate = false): EncodedRow[] {
    return encodeNumbered(this.model.tokenizer, this.model.decoder, rows, truncate, this.#warn);
  }

  #parts(): {
    readonly engine: Engine;
    readonly store: ParameterStore;
    readonly sessions: SessionCache;
    readonly maxPositions: number;
  } {
    if (this.#disposed)
      throw new TutelageError("disposed", "student: expected an open student, got one that was disposed");
    return { engine: this.#engine, store: this.#store, sessions: this.#sessions, maxPositions: this.maxPositions };
  }

  async score(
    rows: readonly ExampleRow[],
    scores: readonly ScoreName[],
    options: {
      readonly batchSize?: number;
      readonly truncate?: boolean;
      readonly signal?: AbortSignal;
      readonly onProgress?: (done: number, total: number) => void;
    } = {},
  ): Promise<ScoreRow[]> {
    const parts = { ...this.#parts(), emptyPrompt: this.model.tokenizer.encodePrompt("") };
    const encoded = this.encodeAll(rows, options.truncate);
    try {
      return await scoreRows(parts, encoded, scores, options);
    } catch (error) {
      throw answersOutOfMemory(error, "scoring", options.batchSize ?? DEFAULT_SCORE_BATCH);
    }
  }

  async tokenLosses(
    row: PromptCompletion,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly TokenLoss[]> {
    const encoded = this.encode(row);
    return spellLosses(this.model.tokenizer, encoded, await tokenLosses(this.#parts(), encoded, options.signal));
  }

  async meanStates(rows: readonly ExampleRow[], options: SimilarityOptions = {}): Promise<readonly Float64Array[]> {
    return meanStates(this.#parts(), this.encodeAll(rows), options);
  }

  async innerProducts(
    rows: readonly ExampleRow[],
    kind: SimilarityKind,
    options: SimilarityOptions = {},
  ): Promise<Float64Array> {
    return innerProducts(this.#parts(), this.encodeAll(rows), kind, options);
  }

  async generate(prompts: readonly Prompt[], options: GenerateOptions): Promise<Generation[]> {
    const { tokenizer, decoder } = this.model;
    const ids = prompts.map((prompt, i) =>
      Int32Array.from(
        typeof prompt === "string"
          ? tokenizer.encodePrompt(prompt)
          : encodeChatPrompt(tokenizer, prompt, `prompt ${i + 1}`),
      ),
    );
    const generating = generateTokens(
      {
        ...this.#parts(),
        mode: this.#generationMode(options.onToken !== undefined),
        trace: options.onToken === undefined ? undefined : spellTokens(tokenizer, ids, options.onToken),
        numHiddenLayers: decoder.numHiddenLayers,
        vocabSize: decoder.vocabSize,
        eosTokenIds: tokenizer.eosTokenIds,
      },
      ids,
      options,
    );
    const tokens = await generating.catch((error: unknown) => {
      throw answersOutOfMemory(error, "generation", options.batchSize ?? DEFAULT_GENERATION_BATCH);
    });
    return tokens.map((generated, i) => ({
      ...generated,
      completion: tokenizer.decodeContinuation(ids[i] ?? [], generated.ids),
    }));
  }

  /** Inside one run nothing can be stopped or told: only students whose batch takes seconds generate in whole. */
  #generationMode(traced: boolean): "steps" | "whole" | "recompute" {
    const { imported } = this.model.decoder;
    if (imported !== undefined) return imported.cached ? "steps" : "recompute";
    return traced || this.#engine.ep === "webgpu" || this.parameters.total > SMALL_PARAMETERS ? "steps" : "whole";
  }

  /** Whether activations would take too much memory to be kept: a question only for large students and long rows. @throws TutelageError out-of-memory with advice. */
  #mustRecompute(rows: readonly EncodedRow[], options: TrainOptions): boolean {
    const longest = rows.reduce((most, { ids }) => Math.max(most, ids.length), 0);
    const small = options.batchSize * longest * longest <= SMALL_ATTENTION;
    if (small && this.parameters.total <= SMALL_PARAMETERS) return false;
    const settings = { checkpointing: "auto" } as const;
    return chooseMemory(this.#sessions.blueprint, rows, options, this.#engine.ep, settings).gradientCheckpointing;
  }

  /** What training on such rows would need; builds graphs and runs none. */
  trainingNeeds(rows: readonly ExampleRow[], options: TrainOptions): TrainingNeeds {
    const encoded = this.encodeAll(rows, options.truncate);
    const gradientCheckpointing = options.gradientCheckpointing ?? this.#mustRecompute(encoded, options);
    const { blueprint } = this.#parts().sessions;
    return trainingNeeds(blueprint, encoded, { ...options, gradientCheckpointing }, this.#engine.ep);
  }

  /**
   * A trainer over `rows`, to be disposed by the caller; `resume` continues a saved state. One at a time.
   * Without `gradientCheckpointing` in the options a large student's memory decides.
   */
  trainer(rows: readonly EncodedRow[], options: TrainOptions, resume?: TrainerState): Trainer {
    const parts = this.#parts();
    const gradientCheckpointing = options.gradientCheckpointing ?? this.#mustRecompute(rows, options);
    return new Trainer(
      { ...parts, noFloat16: noFloat16(this.#engine) },
      rows,
      { ...options, gradientCheckpointing },
      resume,
    );
  }

  async *train(rows: readonly ExampleRow[], options: TrainOptions): AsyncGenerator<StepRecord, void, void> {
    if (this.#training)
      throw new TutelageError("internal", "student: expected one training at a time, got a second one");
    const trainer = this.trainer(this.encodeAll(rows, options.truncate), options);
    this.#training = true;
    try {
      while (trainer.step < trainer.totalSteps) yield await trainer.next();
    } finally {
      trainer.dispose();
      this.#training = false;
    }
  }

  async reset(): Promise<void> {
    const { store } = this.#parts();
    if (this.#initial === undefined) await store.load(this.model.weights);
    else store.write(this.#initial);
  }

  async snapshot(): Promise<ReadonlyMap<string, Float32Array>> {
    return this.#parts().store.read();
  }

  async restore(parameters: HostParameters): Promise<void> {
    this.#parts().store.write(parameters);
  }

  /** A copy of the weights that train; the others are read from where they are. */
  async currentWeights(): Promise<BaseWeights> {
    const { decoder, weights, lora, loraConfig } = this.model;
    const values = await this.snapshot();
    if (loraConfig !== undefined) return mergedWeights(weights, decoder, lora, values);
    return weightsInMemory(
      new Map(
        decoder.parameters.map(({ name, shape }) => {
          const data = values.get(name);
          invariant(data !== undefined, `value of ${name}`);
          return [name, { type: "float32", shape, data }] as const;
        }),
      ),
    );
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#sessions.dispose();
    this.#store.dispose();
  }
}
