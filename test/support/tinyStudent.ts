/** @file A real language model small enough for a test of the loop: the tied Llama fixture with room for a word problem. Node only. */
import { fileURLToPath } from "node:url";
import { memorySource } from "../../src/formats/fileSource.ts";
import type { FileSource } from "../../src/formats/fileSource.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";

const DIRECTORY = fileURLToPath(new URL("../golden/fixtures/students/llama-gqa-tied", import.meta.url));

/** The fixture's files with more positions: rotary embeddings need no weights for them. */
export async function tinyStudentSource(positions = 384): Promise<FileSource> {
  const fixture = directorySource(DIRECTORY);
  const config = {
    ...(JSON.parse(await fixture.readText("config.json")) as object),
    max_position_embeddings: positions,
  };
  const files = new Map<string, Uint8Array | string>([["config.json", JSON.stringify(config)]]);
  for (const path of ["model.safetensors", "tokenizer.json", "tokenizer_config.json"])
    files.set(path, await fixture.read(path));
  return memorySource(files, "tiny student");
}
