/** @file The page's live region: says a changing text aloud, but not more often than a listener can follow. */
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

const QUIET_MS = 4000;

/** Visually hidden `aria-live` region that follows `text` at most every `QUIET_MS`, always ending on the last. */
export function Announcer({ text }: { readonly text: string }): VNode {
  const [said, setSaid] = useState(text);
  const lastMs = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    const waitMs = Math.max(0, lastMs.current + QUIET_MS - performance.now());
    const timer = setTimeout(() => {
      lastMs.current = performance.now();
      setSaid(text);
    }, waitMs);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <p class="hidden" role="status" aria-live="polite">
      {said}
    </p>
  );
}
