/**
 * @file One holder per name: within this realm by a set, across tabs and workers of
 * an origin by Web Locks, which a crashed worker gives back by itself. Where Web
 * Locks are missing (insecure contexts, Node 20) only the realm is covered.
 */
import { badInput } from "../core/errors.ts";

/** A worker that was just ended gives its locks back a moment later. */
const WAIT_MS = 3000;

const held = new Set<string>();

/** Takes `name` and returns the function that gives it back (idempotent). @throws bad-input when it is held by someone else. */
export async function holdExclusively(name: string): Promise<() => void> {
  if (held.has(name)) refuse(name, "this page");
  held.add(name);
  let releaseLock = (): void => undefined;
  try {
    const locks = lockManager();
    if (locks !== undefined) releaseLock = await takeLock(locks, name);
  } catch (error) {
    held.delete(name);
    throw error;
  }
  let released = false;
  return () => {
    if (released) return;
    released = true;
    held.delete(name);
    releaseLock();
  };
}

/** Names that other tabs or workers of this origin hold now; none where Web Locks are missing. */
export async function heldElsewhere(): Promise<ReadonlySet<string>> {
  const query = await lockManager()?.query();
  return new Set((query?.held ?? []).flatMap(({ name }) => (name === undefined || held.has(name) ? [] : [name])));
}

/** `navigator` is missing in Node 20, `locks` outside secure contexts. */
function lockManager(): LockManager | undefined {
  return (globalThis as { readonly navigator?: { readonly locks?: LockManager } }).navigator?.locks;
}

async function takeLock(locks: LockManager, name: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const untilReleased = (): Promise<void> => new Promise((release) => resolve(() => release()));
    locks
      .request(name, { signal: AbortSignal.timeout(WAIT_MS) }, untilReleased)
      .catch((error: unknown) => {
        if (!(error instanceof DOMException) || error.name !== "TimeoutError") throw error;
        refuse(name, "another tab or worker");
      })
      .catch(reject);
  });
}

function refuse(name: string, holder: string): never {
  badInput(name, "nobody else holding it", `held by ${holder}`, "Stop it there first");
}
