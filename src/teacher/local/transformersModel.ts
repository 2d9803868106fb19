/**
 * @file Loads and runs a text generation model with transformers.js, in a worker of the
 * tab or in Node. The package is imported here and nowhere else, when a model is opened.
 * Its sampling is seeded through its own generator, so equal requests get equal replies
 * on one device.
 */
import type { PreTrainedModel, PreTrainedTokenizer, Tensor } from "@huggingface/transformers";
import { messageOf } from "../../core/errors.ts";
import { TeacherError } from "../teacherError.ts";
import type { ModelDescription } from "../types.ts";
import { objectWatcher } from "./jsonEnd.ts";
import type { LoadProgress, LocalModel, LocalReply, LocalRequest, LocalSettings } from "./types.ts";

type Library = typeof import("@huggingface/transformers");
type Device = "webgpu" | "wasm" | "cpu";

export interface OpenModelContext {
  readonly onProgress?: (progress: LoadProgress) => void;
  /** ONNX Runtime's glue by absolute address, and its binary; in a browser, where the package would fetch them from elsewhere. */
  readonly engineFiles?: { readonly mjs: string; readonly wasmBinary: Uint8Array };
  /** Folder that files are kept in; in Node. */
  readonly cacheDir?: string;
}

const IN_NODE =
  typeof (globalThis as { readonly window?: unknown; readonly WorkerGlobalScope?: unknown }).WorkerGlobalScope ===
  "undefined";

/**
 * The model that `settings` name, loaded. With device `auto` WebGPU is tried first and
 * `about.fallbackReason` says why it is not WebGPU.
 * @throws TeacherError model (not there), network, unavailable (cannot run here).
 */
export async function openTransformersModel(
  settings: LocalSettings,
  { onProgress = () => undefined, engineFiles, cacheDir }: OpenModelContext = {},
): Promise<LocalModel> {
  const library = await loadLibrary();
  const { env } = library;
  if (settings.host !== undefined) env.remoteHost = `${settings.host.replace(/\/+$/, "")}/`;
  if (IN_NODE) env.localModelPath = "/";
  else env.allowLocalModels = false;
  const { wasm } = env.backends.onnx;
  if (engineFiles !== undefined && wasm !== undefined) {
    wasm.wasmPaths = { mjs: engineFiles.mjs };
    wasm.wasmBinary = engineFiles.wasmBinary;
  }
  env.useWasmCache = false;
  if (cacheDir !== undefined) env.cacheDir = cacheDir;

  const progress = progressReader(onProgress);
  const load = async (device: Device): Promise<PreTrainedModel> =>
    library.AutoModelForCausalLM.from_pretrained(settings.model, {
      dtype: settings.dtype as "auto",
      device,
      progress_callback: progress,
    });
  try {
    const tokenizer = await library.AutoTokenizer.from_pretrained(settings.model, { progress_callback: progress });
    const { model, about } = await loadOnDevice(settings, load);
    return new TransformersModel(library, tokenizer, model, about);
  } catch (error) {
    throw loadFailure(error, settings);
  }
}

async function loadLibrary(): Promise<Library> {
  try {
    return await import("@huggingface/transformers");
  } catch (error) {
    throw new TeacherError(
      "unavailable",
      `models in this process need the package @huggingface/transformers (npm i @huggingface/transformers): ${messageOf(error)}`,
    );
  }
}

async function loadOnDevice(
  { device, dtype }: LocalSettings,
  load: (device: Device) => Promise<PreTrainedModel>,
): Promise<{ readonly model: PreTrainedModel; readonly about: ModelDescription }> {
  const on = async (chosen: Device, fallbackReason?: string) => ({
    model: await load(chosen),
    about: { device: chosen, dtype, ...(fallbackReason === undefined ? {} : { fallbackReason }) },
  });
  if (device !== "auto") return on(device);
  if (IN_NODE) return on("cpu");
  const missing = await noGpuReason();
  if (missing !== undefined) return on("wasm", missing);
  try {
    return await on("webgpu");
  } catch (error) {
    // A file that is missing is missing for every device.
    if (isMissing(error)) throw error;
    return on("wasm", `WebGPU could not load the model: ${messageOf(error)}`);
  }
}

/** Why there is no WebGPU here; undefined when there is. */
async function noGpuReason(): Promise<string | undefined> {
  const { gpu } = globalThis.navigator as { readonly gpu?: { requestAdapter(): Promise<object | null> } };
  if (gpu === undefined) return "this browser has no WebGPU";
  try {
    return (await gpu.requestAdapter()) === null ? "WebGPU has no adapter here" : undefined;
  } catch (error) {
    return `WebGPU gives no adapter: ${messageOf(error)}`;
  }
}

interface Encoded {
  readonly input_ids: Tensor;
  readonly attention_mask: Tensor;
}

class TransformersModel implements LocalModel {
  readonly about: ModelDescription;
  readonly #library: Library;
  readonly #tokenizer: PreTrainedTokenizer;
  readonly #model: PreTrainedModel;

  constructor(library: Library, tokenizer: PreTrainedTokenizer, model: PreTrainedModel, about: ModelDescription) {
    this.#library = library;
    this.#tokenizer = tokenizer;
    this.#model = model;
    this.about = about;
  }

  async generate(request: LocalRequest, stopped: () => boolean): Promise<LocalReply> {
    const { TextStreamer, StoppingCriteria, random } = this.#library;
    const inputs = this.#encode(request);
    const promptTokens = inputs.input_ids.dims[1] ?? 0;
    const room = this.#contextLength() - promptTokens;
    if (room < 1)
      throw new TeacherError(
        "request",
        `a prompt of ${promptTokens} tokens does not fit the model's ${this.#contextLength()}; choose a model with a longer context`,
      );
    const maxNewTokens = Math.min(request.maxOutputTokens, room);
    const watch = objectWatcher();
    let text = "";
    let whole = false;
    const streamer = new TextStreamer(this.#tokenizer, {
      skip_prompt: true,
      skip_special_tokens: true,
      callback_function: (piece: string) => {
        text += piece;
        whole ||= watch(piece);
      },
    });
    class Until extends StoppingCriteria {
      override _call(rows: readonly unknown[]): boolean[] {
        return rows.map(() => whole || stopped());
      }
    }
    random.seed(request.seed);
    const { temperature } = request;
    const output = (await this.#model.generate({
      ...inputs,
      max_new_tokens: maxNewTokens,
      do_sample: temperature !== 0,
      ...(temperature === undefined || temperature === 0 ? {} : { temperature }),
      streamer,
      stopping_criteria: new Until(),
    })) as Tensor;
    const completionTokens = (output.dims[1] ?? promptTokens) - promptTokens;
    const ended = whole || completionTokens < maxNewTokens || this.#endsIn(output);
    return { text, finishReason: ended ? "stop" : "length", promptTokens, completionTokens };
  }

  async dispose(): Promise<void> {
    await this.#model.dispose();
  }

  /** By the model's chat template; without one, the texts one after another. */
  #encode({ messages }: LocalRequest): Encoded {
    const tokenizer = this.#tokenizer;
    const templated = typeof tokenizer.chat_template === "string" || Array.isArray(tokenizer.chat_template);
    const text = templated
      ? tokenizer.apply_chat_template(
          messages.map(({ role, content }) => ({ role, content })),
          { tokenize: false, add_generation_prompt: true },
        )
      : `${messages.map(({ content }) => content).join("\n\n")}\n\n`;
    // A template writes the special tokens itself.
    return tokenizer(text, { add_special_tokens: !templated });
  }

  #contextLength(): number {
    const { config } = this.#model as unknown as { readonly config?: Readonly<Record<string, unknown>> };
    const length = config?.["max_position_embeddings"] ?? config?.["n_positions"];
    return typeof length === "number" && length > 0 ? length : Infinity;
  }

  #endsIn(output: Tensor): boolean {
    const [row] = output.tolist() as (readonly bigint[])[];
    const { generation_config: settings } = this.#model as unknown as {
      readonly generation_config?: { readonly eos_token_id?: number | readonly number[] | null };
    };
    const ends = [settings?.eos_token_id ?? []].flat();
    return ends.includes(Number(row?.at(-1) ?? -1));
  }
}

/** Sums the files' progress. */
function progressReader(onProgress: (progress: LoadProgress) => void): (info: unknown) => void {
  const files = new Map<string, { readonly loaded: number; readonly total: number }>();
  return (info) => {
    const { status, file, loaded, total } = info as {
      readonly status?: unknown;
      readonly file?: unknown;
      readonly loaded?: unknown;
      readonly total?: unknown;
    };
    if (status !== "progress" || typeof file !== "string" || typeof loaded !== "number") return;
    files.set(file, { loaded, total: typeof total === "number" ? total : loaded });
    const all = [...files.values()];
    onProgress({
      path: file,
      loadedBytes: all.reduce((sum, one) => sum + one.loaded, 0),
      totalBytes: all.reduce((sum, one) => sum + one.total, 0),
    });
  };
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof Error && (error.name === "ModelFileNotFoundError" || /could not locate file/i.test(error.message))
  );
}

function loadFailure(error: unknown, { model, dtype }: LocalSettings): TeacherError {
  if (error instanceof TeacherError) return error;
  const said = messageOf(error).replace(/\s+/g, " ").slice(0, 300);
  if (isMissing(error) || /unauthorized|forbidden/i.test(said))
    return new TeacherError(
      "model",
      `there is no model "${model}" with ONNX files of dtype ${dtype} that transformers.js can use: ${said}`,
    );
  if (error instanceof TypeError) return new TeacherError("unavailable", `the model could not be fetched: ${said}`);
  return new TeacherError("unavailable", `the model cannot run here: ${said}`);
}
