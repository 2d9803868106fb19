/** @file The origins that a run has to reach: its teacher's and, for a student or an adapter from the hub, the hub's. Nothing else is opened to a worker. */

/** Where each provider is asked when no address is given; `teacher/chat/openModel.ts` has the same. */
export const OWN_ADDRESS: Readonly<Record<string, string>> = {
  openai: "https://api.openai.com/v1",
  anthropic: "https://api.anthropic.com/v1",
  google: "https://generativelanguage.googleapis.com/v1beta",
};

/** The hub, and where it redirects large files to. */
export const HUB_ORIGINS: readonly string[] = ["https://huggingface.co", "https://*.huggingface.co", "https://*.hf.co"];

/** What of an experiment decides where it connects to. */
export interface Reaching {
  readonly student: string;
  readonly adapter?: string | undefined;
  readonly teacher?: { readonly name: string; readonly chat?: { readonly url?: string } } | undefined;
}

/** Origins that these experiments need besides the page's own: sorted, each once. */
export function originsOf(experiments: readonly Reaching[]): readonly string[] {
  const origins = experiments.flatMap(({ student, adapter, teacher }) => [
    ...([student, adapter].some((name) => name?.startsWith("hub:")) ? HUB_ORIGINS : []),
    ...(teacher === undefined ? [] : teacherOrigins(teacher)),
  ]);
  return [...new Set(origins)].sort();
}

function teacherOrigins({ name, chat }: NonNullable<Reaching["teacher"]>): readonly string[] {
  if (name === "transformers" && chat?.url === undefined) return HUB_ORIGINS;
  const address = chat?.url ?? OWN_ADDRESS[name];
  return address === undefined || !URL.canParse(address) ? [] : [new URL(address).origin];
}
