/** @file One process per run folder, by a lock file with its holder's process id. A lock whose process is gone is taken over. Node only. */
import { readFile, realpath, unlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { badInput } from "../../core/errors.ts";
import { errnoOf } from "./files.ts";

/** Name of the lock file. */
export const LOCK_FILE = "lock";

/** Lock files this process holds. */
const held = new Set<string>();

/** Takes the folder and returns the function that gives it back (idempotent). @throws bad-input naming the process that has it. */
export async function lockFolder(directory: string): Promise<() => Promise<void>> {
  const path = join(await realpath(directory), LOCK_FILE);
  const mine = `${process.pid} ${hostname()}\n`;
  for (let attempt = 0; ; attempt++) {
    try {
      await writeFile(path, mine, { flag: "wx" });
      break;
    } catch (error) {
      if (errnoOf(error) !== "EEXIST" || attempt > 0) throw error;
      const holder = await readFile(path, "utf8").catch(() => "");
      if (isAlive(holder, path))
        badInput(
          directory,
          "a run folder nobody works in",
          `one that process ${holder.trim()} works in`,
          `Stop it first; if it is gone, delete ${path}`,
        );
      await unlink(path).catch(() => undefined);
    }
  }
  held.add(path);
  let released = false;
  return async () => {
    if (released) return;
    released = true;
    held.delete(path);
    await unlink(path).catch(() => undefined);
  };
}

/** Whether the holder may still be there; on another machine we cannot tell, so it may. */
function isAlive(holder: string, path: string): boolean {
  const [pid, host] = holder.trim().split(" ");
  if (pid === undefined || !/^\d+$/.test(pid)) return false;
  if (host !== hostname()) return true;
  // Containers give a restarted process its predecessor's id.
  if (Number(pid) === process.pid) return held.has(path);
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}
