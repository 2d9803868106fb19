/** @file The engine panel: what computes, what it may and holds, why not something better; and all of it as text for a report of a fault. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { EngineStatus } from "../../../protocol/loopService.ts";
import { messageOf } from "../../../core/errors.ts";
import type { ViewProps } from "../registry.ts";
import { engineReport, reportText } from "./engineReport.ts";

/** How often the open panel asks again. */
const REFRESH_MS = 2000;

/** What computes. */
export function EnginePanel({ state, page }: ViewProps): VNode {
  const { status, failure } = useStatus(page, state.crash !== null);
  const [copied, setCopied] = useState<string | null>(null);
  const sections = engineReport(state, status);
  const text = reportText(sections, navigator.userAgent);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied("Copied.");
    } catch {
      setCopied("This browser does not let the page copy: select the text below.");
    }
  };
  return (
    <section class="engine" aria-label="Engine">
      {sections.map(({ title, lines }) => (
        <div key={title} class="engine-section">
          <h3>{title}</h3>
          <dl>
            {lines.map(({ name, value }) => (
              <div key={name}>
                <dt>{name}</dt> <dd class={name.startsWith("Why not") ? "engine-fallback" : undefined}>{value}</dd>
              </div>
            ))}
          </dl>
        </div>
      ))}
      {failure !== null && <p class="note">The worker gives no status: {failure}</p>}
      <div class="buttons">
        <button type="button" onClick={() => void copy()}>
          Copy as text
        </button>
        <span role="status">{copied}</span>
      </div>
      <label class="engine-text">
        <span>For a report of a fault; look it over before you send it</span>
        <textarea readOnly rows={6} value={text} />
      </label>
    </section>
  );
}

/** The worker's status, asked for again while the panel is open. */
function useStatus(
  page: ViewProps["page"],
  crashed: boolean,
): { readonly status: EngineStatus | null; readonly failure: string | null } {
  const [status, setStatus] = useState<EngineStatus | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    if (crashed) return undefined;
    let gone = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      try {
        const next = await page.link.service?.engineStatus();
        if (gone) return;
        setFailure(null);
        if (next !== undefined) setStatus(next);
      } catch (error) {
        if (!gone) setFailure(messageOf(error));
      }
      if (!gone) timer = setTimeout(() => void ask(), REFRESH_MS);
    };
    void ask();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [page, crashed]);
  return { status, failure };
}
