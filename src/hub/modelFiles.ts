/** @file Which files of a model on the hub a student needs: those and no others are fetched. */
import { badInput } from "../core/errors.ts";
import { parseWeightMap, WEIGHTS_FILE, WEIGHTS_INDEX_FILE } from "../formats/checkpoint.ts";
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
  /** The one file of weights, or what to do with the text of the index: which shards there are. */
  readonly weights: HubFile | { readonly index: HubFile; readonly shards: (index: string) => readonly HubFile[] };
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
  if (single !== undefined) return { small, weights: single };
  const index = byPath.get(WEIGHTS_INDEX_FILE);
  if (index === undefined) {
    const other = files.find(({ path }) => /\.(bin|gguf|pt|pth|h5|msgpack|onnx)$/.test(path));
    badInput(
      where,
      `weights as ${WEIGHTS_FILE} or ${WEIGHTS_INDEX_FILE}`,
      other === undefined ? "neither" : `only ${other.path}`,
      "Convert them: load the model with transformers and call save_pretrained(directory, safe_serialization=True)",
    );
  }
  const shards = (text: string): readonly HubFile[] =>
    [...new Set(parseWeightMap(text, `${where}/${WEIGHTS_INDEX_FILE}`).values())].map((path) => required(path));
  return { small, weights: { index, shards } };
}
