/** @file A visitor's own prompts put into the experiments of a run. They are long: they stand in no link. */
import type { PromptEdits } from "../teacher/config.ts";

/** The experiments with `edits` in place of the built-in prompts; those without a chat teacher stay as they are. */
export function withPrompts(
  experiments: readonly Readonly<Record<string, unknown>>[],
  edits: PromptEdits,
): readonly Readonly<Record<string, unknown>>[] {
  if (Object.keys(edits).length === 0) return experiments;
  return experiments.map((experiment) => {
    const { teacher } = experiment as { readonly teacher?: { readonly chat?: object } };
    return teacher?.chat === undefined
      ? experiment
      : { ...experiment, teacher: { ...teacher, chat: { ...teacher.chat, prompts: edits } } };
  });
}
