/**
 * @file Finds the reference material beside the checkout (`../shared`: student
 * directories, data sets) that some tests compare with. It is not part of the
 * repository: where it is absent its tests are skipped and counted, but under CI a
 * missing folder fails them.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, test } from "vitest";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Absolute path inside `../shared`, or where `TUTELAGE_SHARED` says it is, as `sharedPath("students", "stories260K")`. The file may be absent. */
export function sharedPath(...parts: readonly string[]): string {
  return join(process.env["TUTELAGE_SHARED"] ?? join(ROOT, "..", "shared"), ...parts);
}

/** Whether the path is there. @throws Error under CI when it is not: nothing is skipped unseen there. */
export function hasShared(...parts: readonly string[]): boolean {
  const path = sharedPath(...parts);
  if (existsSync(path)) return true;
  if (isCi()) throw new Error(`${path}: expected reference material under CI, got nothing there`);
  return false;
}

/**
 * `describe` for a suite that needs `../shared/<parts>`; skipped with the path in its name when absent outside CI.
 * `body` is run either way, to count its tests: what reads the files belongs into hooks and tests.
 */
export function describeWithShared(name: string, parts: readonly string[], body: () => void): void {
  if (hasShared(...parts)) describe(name, body);
  else describe.skip(`${name} (skipped: ${sharedPath(...parts)} is absent)`, body);
}

/** `test` that needs `../shared/<parts>`; skipped with the path in its name when absent outside CI. */
export function testWithShared(name: string, parts: readonly string[], body: () => void | Promise<void>): void {
  if (hasShared(...parts)) test(name, body);
  else test.skip(`${name} (skipped: ${sharedPath(...parts)} is absent)`, body);
}

function isCi(): boolean {
  const value = process.env["CI"];
  return value !== undefined && value !== "" && value !== "false" && value !== "0";
}
