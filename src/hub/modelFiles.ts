/** @file Which files of a model on the hub a student or an adapter needs: those and no others are fetched. */
import { badInput } from "../core/errors.ts";
import { ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE } from "../formats/peft.ts";
import { ONNX_MODEL_PATHS, parseWeightMap, WEIGHTS_FILE, WEIGHTS_INDEX_FILE } from "../formats/checkpoint.ts";
import type { HubFile } from "./hubClient.ts";

const REQUIRED = ["config.json", "tokenizer.json"] as const;
const OPTIONAL = [
  "generation_config.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
] as const;

/** Small files first, so that a model that is not supported is known before its weights are fetched. */
export interface ModelFiles {
  readonly small: readonly HubFile[];
  /** The files of weights, or what to do with the text of the index: which shards there are. */
  readonly weights:
    | readonly HubFile[]
    | { readonly index: HubFile; readonly shards: (index: string) => readonly HubFile[] };
}

/**
 * The student's files among those of a commit.
 * @throws BadInputError naming what is missing, and what to do where the weights have another format.
 */
export function chooseModelFiles(files: readonly HubFile[], where: string): ModelFiles {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const required = (path: string, hint = ""): HubFile =>
    byPath.get(path) ?? badInput(where, `a file ${path}`, "none", hint);
  const small = [
    ...REQUIRED.map((path) =>
      required(
        path,
        path === "tokenizer.json"
          ? "Tokenizers of other formats are not read: save it with transformers' fast tokenizer (save_pretrained)"
          : "This is not a language model in Hugging Face's layout",
      ),
    ),
    ...OPTIONAL.flatMap((path) => byPath.get(path) ?? []),
  ];
  const single = byPath.get(WEIGHTS_FILE);
  if (single !== undefined) return { small, weights: [single] };
  const index = byPath.get(WEIGHTS_INDEX_FILE);
  if (index === undefined) {
    const model = ONNX_MODEL_PATHS.find((path) => byPath.has(path));
    // Its external data stand beside it: `model.onnx_data`, `model.onnx_data_1`, `model.onnx.data`.
    if (model !== undefined)
      return {
        small,
        weights: files.filter(
          ({ path }) => path === model || (/^[._]data/.test(path.slice(model.length)) && path.startsWith(model)),
        ),
      };
    const other = files.find(({ path }) => /\.(bin|gguf|pt|pth|h5|msgpack|onnx)$/.test(path));
    badInput(
      where,
      `weights as ${WEIGHTS_FILE}, ${WEIGHTS_INDEX_FILE} or an ONNX decoder (${ONNX_MODEL_PATHS[0]})`,
      other === undefined ? "neither" : `only ${other.path}`,
      "Convert them: load the model with transformers and call save_pretrained(directory, safe_serialization=True)",
    );
  }
  const shards = (text: string): readonly HubFile[] =>
    [...new Set(parseWeightMap(text, `${where}/${WEIGHTS_INDEX_FILE}`).values())].map((path) => required(path));
  return { small, weights: { index, shards } };
}

/** The files of a PEFT adapter among those of a commit. @throws BadInputError naming what is missing. */
export function chooseAdapterFiles(files: readonly HubFile[], where: string): ModelFiles {
  const find = (path: string): HubFile | undefined => files.find((file) => file.path === path);
  const config = find(ADAPTER_CONFIG_FILE);
  if (config === undefined)
    badInput(
      where,
      `a file ${ADAPTER_CONFIG_FILE}`,
      "none",
      "This is not an adapter in PEFT's layout; a whole model is named as the student",
    );
  const weights = find(ADAPTER_WEIGHTS_FILE);
  if (weights === undefined)
    badInput(
      where,
      `a file ${ADAPTER_WEIGHTS_FILE}`,
      find("adapter_model.bin") === undefined ? "none" : "only adapter_model.bin",
      "Convert it: load it with PEFT and call save_pretrained(directory)",
    );
  return { small: [config], weights: [weights] };
}
