/** @file Kept replies of teachers: saved as one file, and taken in from one. The terminal's cache is such a file. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { formatCount } from "../../format.ts";
import type { SetUpActions } from "./setUpActions.ts";

/** Two buttons and what came of them. */
export function ReplyCache({ actions }: { readonly actions: SetUpActions }): VNode {
  const [said, setSaid] = useState("");
  const take = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return;
    const found = await actions.importReplies(file);
    if (found === null) return;
    const { added, known, unread } = found;
    setSaid(
      `${formatCount(added, "new one")} taken in, ${known} known already${unread === 0 ? "" : `, ${formatCount(unread, "line")} of the file not understood`}.`,
    );
  };
  return (
    <div class="replies">
      <p class="note">Replies are kept in this browser: what was asked once is not asked, nor paid, again.</p>
      <div class="buttons">
        <button type="button" onClick={() => actions.exportReplies()}>
          Save kept replies
        </button>
      </div>
      <div class="field field-wide">
        <label for="replies-file">Take replies from a file</label>
        <input
          id="replies-file"
          type="file"
          accept=".jsonl"
          onChange={(event) => {
            void take(event.currentTarget.files?.[0]);
            event.currentTarget.value = "";
          }}
        />
      </div>
      <p class="note" role="status" aria-label="Kept replies">
        {said}
      </p>
    </div>
  );
}
