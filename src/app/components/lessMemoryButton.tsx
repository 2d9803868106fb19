/** @file The button that goes on with a run in less memory, and what that changes. Nothing where nothing is left to change. */
import type { VNode } from "preact";
import type { LaneState } from "../laneState.ts";
import { lessMemoryOf } from "../lessMemory.ts";

/** For one lane or several; each takes a step down of its own. */
export function LessMemoryButton({
  lanes,
  off = false,
  onPress,
}: {
  readonly lanes: readonly LaneState[];
  readonly off?: boolean;
  readonly onPress: () => void;
}): VNode | null {
  const changes = [...new Set(lanes.flatMap((lane) => lessMemoryOf(lane)?.change ?? []))];
  if (changes.length === 0) return null;
  return (
    <>
      <p>
        In less memory: {changes.join("; ")}. The rows of every step stay the same, and so do results up to rounding; no
        teacher call is made twice.
      </p>
      <button type="button" disabled={off} onClick={onPress}>
        Resume in less memory
      </button>
    </>
  );
}
