/** @file Names of models on the hub: `org/name`, `org/name@revision`. */
import { badInput } from "../core/errors.ts";

/** A model at a revision: a branch, a tag, or a commit. */
export interface HubId {
  /** `org/name`. */
  readonly id: string;
  readonly revision: string;
}

const PART = "[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?";
const ID = new RegExp(`^${PART}/${PART}$`);
const REVISION = /^[A-Za-z0-9_][A-Za-z0-9._/-]*$/;
const COMMIT = /^[0-9a-f]{40}$/;

/** Written before a model's name where something else could be meant too: in experiments, and in the manifests of runs. */
export const HUB_PREFIX = "hub:";

/** Revision where none is named. */
export const DEFAULT_REVISION = "main";

/** The model that a text names, undefined when it cannot be one (a path, an address). */
export function parseHubId(text: string): HubId | undefined {
  const at = text.indexOf("@");
  const id = at < 0 ? text : text.slice(0, at);
  const revision = at < 0 ? DEFAULT_REVISION : text.slice(at + 1);
  if (!ID.test(id) || id.length > 200 || /--|\.\./.test(id)) return undefined;
  if (!REVISION.test(revision) || revision.length > 200 || revision.includes("..")) return undefined;
  return { id, revision };
}

/** The model that a text names. @throws BadInputError when it names none. */
export function requireHubId(text: string, where: string): HubId {
  return (
    parseHubId(text) ??
    badInput(
      where,
      "a model as org/name or org/name@revision",
      JSON.stringify(text),
      "For example HuggingFaceTB/SmolLM2-135M",
    )
  );
}

/** Whether a revision names one commit for ever. */
export function isCommit(revision: string): boolean {
  return COMMIT.test(revision);
}
