/** @file A language model small enough to run anywhere, exported by this project for transformers.js. Its weights are random: what it says is nonsense. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CPU, runCli } from "./runCli.ts";
import { changeJson, studentFiles } from "./studentFiles.ts";

/** Tokens that the model takes: our prompts, byte by byte, fit. */
const CONTEXT = 8192;
const FIRST_END = 200;
const END_TOKENS = 24;

/** Exports the model below `folder`, in float32; returns its directory. */
export async function exportTinyTeacher(folder: string): Promise<string> {
  const files = changeJson(studentFiles("llama-untied"), "config.json", (config) => ({
    ...config,
    max_position_embeddings: CONTEXT,
  }));
  const student = join(folder, "tiny-student");
  mkdirSync(student, { recursive: true });
  for (const [name, data] of files) writeFileSync(join(student, name), data);
  const out = join(folder, "tiny-teacher");
  const { status, err } = await runCli(["export", "--student", student, "--out", out, "--format", "onnx", ...CPU]);
  if (status !== 0) throw new Error(err);
  // Any of these ends a reply: after some ten tokens, not some hundreds.
  const ends = Array.from({ length: END_TOKENS }, (_, i) => FIRST_END + i);
  writeFileSync(join(out, "generation_config.json"), JSON.stringify({ eos_token_id: ends }));
  return out;
}
