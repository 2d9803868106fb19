/** @file The teachers by name. Chat teachers, with the packages they need, are loaded when one is chosen. */
import { badInput } from "../core/errors.ts";
import type { Task } from "../tasks/types.ts";
import type { ChatTeacherOptions } from "./chat/chatTeacher.ts";
import { CHAT_PROVIDERS } from "./config.ts";
import type { ChatProvider, ChatSettings } from "./config.ts";
import { createNoTeacher } from "./noTeacher.ts";
import { createSolverTeacher } from "./solverTeacher.ts";
import type { Teacher } from "./types.ts";

/** The teacher's part of an experiment, plain JSON. */
export interface TeacherSettings {
  readonly name: string;
  /** Of the built-in teacher. */
  readonly errorRate?: number;
  /** Of chat teachers, which need it. */
  readonly chat?: ChatSettings;
}

/** Names that `createTeacher` knows. */
export const teacherNames = ["solver", "none", ...CHAT_PROVIDERS] as const;

/** The protocol that teacher `name` is asked over, undefined for a teacher that is built in. */
export function chatProviderOf(name: string): ChatProvider | undefined {
  return CHAT_PROVIDERS.find((provider) => provider === name);
}

/**
 * The teacher that `settings` describe, for `task`. Keys and stores, which are no settings, come apart.
 * @throws BadInputError for an unknown name, listing the known ones, and for settings the teacher refuses.
 */
export async function createTeacher(
  settings: TeacherSettings,
  task: Task,
  options: ChatTeacherOptions = {},
): Promise<Teacher> {
  const { name, errorRate, chat } = settings;
  if (name === "solver") return createSolverTeacher(task, errorRate === undefined ? {} : { errorRate });
  if (name === "none") return createNoTeacher();
  const provider = chatProviderOf(name);
  if (provider === undefined) badInput("teacher", `one of ${teacherNames.join(", ")}`, JSON.stringify(name));
  if (chat === undefined) badInput(`teacher ${name}`, "settings with a model (teacher.chat.model)", "none");
  const { createChatTeacher } = await import("./chat/chatTeacher.ts");
  return createChatTeacher(provider, task, chat, options);
}
