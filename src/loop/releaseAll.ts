/** @file Letting go of what was opened, whatever fails on the way. */

/** Releases everything, one after another; then throws the first failure. */
export async function releaseAll(disposals: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const dispose of disposals) await dispose().catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}
