/** @file Lays what a task's default experiment has otherwise under an experiment that says nothing itself. */
import { TASK_DEFAULTS } from "./defaults.ts";

/** `value`, unchecked as it is, with the defaults of the task it names; what it says itself stays. */
export function withTaskDefaults(value: unknown): unknown {
  if (!isGroup(value)) return value;
  const task = value["task"];
  const name = isGroup(task) ? task["name"] : undefined;
  const own = typeof name === "string" && Object.hasOwn(TASK_DEFAULTS, name) ? TASK_DEFAULTS[name] : undefined;
  return own === undefined ? value : underlay(value, own);
}

function underlay(value: Readonly<Record<string, unknown>>, defaults: object): Record<string, unknown> {
  const filled = Object.entries(defaults).map(([key, setting]: [string, unknown]) => {
    const given = value[key];
    if (given === undefined) return [key, setting];
    return [key, isGroup(given) && isGroup(setting) ? underlay(given, setting) : given];
  });
  return { ...value, ...(Object.fromEntries(filled) as Record<string, unknown>) };
}

function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
