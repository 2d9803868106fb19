/**
 * @file Starts a student from the weights of another one of the same shape: what it has learned of copying,
 * of digits and of arithmetic carries over to another task in a tenth of the steps. Its tokenizer may be
 * another: rows of the embedding are taken by the text of their token.
 */
import { badInput } from "../../src/core/errors.ts";
import { parseSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts";
import type { Tensor } from "../../src/onnx/types.ts";

type StudentFiles = ReadonlyMap<string, string | Uint8Array>;

const WEIGHTS = "model.safetensors";
const EMBEDDING = "model.embed_tokens.weight";

/** `files` with the weights of `from`; embeddings of tokens that only `files` have stay as they are there. @throws BadInputError for another shape. */
export function warmStart(files: StudentFiles, from: StudentFiles): Map<string, string | Uint8Array> {
  const [own, other] = [weightsOf(files), weightsOf(from)];
  const taken = own.names.map((name): readonly [string, Tensor] => {
    const [mine, theirs] = [own.tensor(name), other.tensor(name)];
    if (name === EMBEDDING) return [name, takeRows(mine, theirs, vocabOf(files), vocabOf(from))];
    if (mine.shape.join() !== theirs.shape.join())
      badInput(`start from another student, ${name}`, `shape [${mine.shape.join()}]`, `[${theirs.shape.join()}]`);
    return [name, theirs];
  });
  return new Map([...files, [WEIGHTS, writeSafetensors(new Map(taken))]]);
}

function takeRows(
  mine: Tensor,
  theirs: Tensor,
  ownVocab: ReadonlyMap<string, number>,
  otherVocab: ReadonlyMap<string, number>,
): Tensor {
  const [, width = 0] = mine.shape;
  const data = Float32Array.from(mine.data, Number);
  for (const [token, id] of ownVocab) {
    const at = otherVocab.get(token);
    if (at !== undefined)
      data.set(Float32Array.from(theirs.data.slice(at * width, (at + 1) * width), Number), id * width);
  }
  return { ...mine, data };
}

function weightsOf(files: StudentFiles): ReturnType<typeof parseSafetensors> {
  const bytes = files.get(WEIGHTS);
  return bytes instanceof Uint8Array ? parseSafetensors(bytes, WEIGHTS) : badInput(WEIGHTS, "its bytes", typeof bytes);
}

function vocabOf(files: StudentFiles): Map<string, number> {
  const file = files.get("tokenizer.json") ?? "{}";
  const text = typeof file === "string" ? file : new TextDecoder().decode(file);
  const { model } = JSON.parse(text) as { readonly model: { readonly vocab: Readonly<Record<string, number>> } };
  return new Map(Object.entries(model.vocab));
}
