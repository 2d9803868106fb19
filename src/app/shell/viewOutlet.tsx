/** @file Shows the route's view: at once when it is part of the first load, else when it has been fetched, with a way to try again. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { messageOf } from "../../core/errors.ts";
import type { View, ViewEntry, ViewProps } from "../views/registry.ts";

/** Views that were fetched; a page fetches each once. */
const fetched = new Map<string, View>();

/** The view of `entry`. */
export function ViewOutlet({ entry, ...props }: ViewProps & { readonly entry: ViewEntry }): VNode {
  const [, redraw] = useState(0);
  const [failure, setFailure] = useState<{ readonly id: string; readonly message: string } | null>(null);
  const { id, title, load } = entry;
  const Shown = typeof load === "object" && "lazy" in load ? fetched.get(id) : load;
  const failed = failure?.id === id ? failure.message : null;
  useEffect(() => {
    if (Shown !== undefined || failed !== null || typeof load !== "object" || !("lazy" in load)) return undefined;
    let gone = false;
    const { lazy } = load;
    void (async () => {
      try {
        fetched.set(id, await lazy());
        if (!gone) redraw((count) => count + 1);
      } catch (error) {
        if (!gone) setFailure({ id, message: messageOf(error) });
      }
    })();
    return () => {
      gone = true;
    };
  }, [id, failed, Shown]);
  if (Shown !== undefined) return <Shown {...props} />;
  if (failed === null)
    return (
      <p class="empty" role="status">
        Fetching {title}…
      </p>
    );
  return (
    <div class="banner banner-error" role="alert">
      <p>
        <strong>{title} could not be fetched.</strong> {failed}
      </p>
      <button type="button" onClick={() => setFailure(null)}>
        Try again
      </button>
    </div>
  );
}
