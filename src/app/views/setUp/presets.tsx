/** @file Ready-made settings as a row of buttons, and the link to what is set. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { PRESETS, presetOf } from "../../presets.ts";
import type { SettingsDraft } from "../../settings.ts";
import { linkOf } from "../../shareLink.ts";

/** The presets; the one that the draft is, is pressed. */
export function Presets({
  draft,
  onApply,
}: {
  readonly draft: SettingsDraft;
  readonly onApply: (change: Partial<SettingsDraft>) => void;
}): VNode {
  const now = presetOf(draft);
  return (
    <div class="presets" role="group" aria-label="Ready-made settings">
      <div class="buttons">
        {PRESETS.map(({ id, title, change }) => (
          <button key={id} type="button" class="chip" aria-pressed={now?.id === id} onClick={() => onApply(change)}>
            {title}
          </button>
        ))}
      </div>
      <p class="note" aria-live="polite">
        {now?.about ?? "Settings of your own."}
      </p>
    </div>
  );
}

/** Copies the link to these settings; where the clipboard is out of reach the link is shown, to be copied by hand. */
export function CopyLink({ draft }: { readonly draft: SettingsDraft }): VNode {
  const [copied, setCopied] = useState<{ readonly link: string; readonly ok: boolean } | null>(null);
  const link = linkOf(draft, location.href);
  const said = copied?.link === link ? copied : null;
  const copy = async (): Promise<void> => {
    // Absent on pages that are not secure.
    const clipboard: Clipboard | undefined = navigator.clipboard;
    try {
      await clipboard?.writeText(link);
      setCopied({ link, ok: clipboard !== undefined });
    } catch {
      setCopied({ link, ok: false });
    }
  };
  return (
    <div class="copy-link">
      <button type="button" onClick={() => void copy()}>
        {said?.ok === true ? "Link copied" : "Copy link"}
      </button>
      <span class="hidden" role="status">
        {said === null ? "" : said.ok ? "Link copied" : "The link is shown"}
      </span>
      {said?.ok === false && (
        <input
          type="text"
          readOnly
          value={link}
          aria-label="Link to these settings"
          onFocus={(event) => event.currentTarget.select()}
        />
      )}
    </div>
  );
}
