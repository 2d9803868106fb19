/** @file The files of the built-in student, so that a page asks its host for no others. */

/** Files of `public/student` that a student is read from. */
export const BUILTIN_STUDENT_FILES: readonly string[] = [
  "config.json",
  "generation_config.json",
  "model.safetensors",
  "special_tokens_map.json",
  "tokenizer.json",
  "tokenizer_config.json",
];
