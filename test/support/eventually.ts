/** @file Waiting for a state in tests. */
import { vi } from "vitest";

/** Past the slowest machine: what is waited for comes, however late. */
const PATIENCE_MS = 60_000;

/**
 * Resolves when `holds` no longer throws. vitest's own `vi.waitFor` gives up
 * after one second, which a loaded machine needs for one drawing of the page.
 */
export function eventually(holds: () => void): Promise<void> {
  return vi.waitFor(holds, { timeout: PATIENCE_MS, interval: 10 });
}
