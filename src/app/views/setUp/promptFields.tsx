/** @file The prompts of the chosen task: each can be read, changed and put back. What is wrong with one is said below it; a template is text, never markup. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { PromptEdits } from "../../../teacher/config.ts";
import type { PromptsView } from "../../../teacher/types.ts";
import type { AppState } from "../../appState.ts";
import type { SetUpActions } from "./setUpActions.ts";

type PromptName = keyof PromptEdits;

/** After the last letter typed. */
const QUIET_MS = 250;

const LABELS: Readonly<Record<PromptName, string>> = {
  system: "To every call (system)",
  propose: "A new question",
  answer: "A worked answer",
  pair: "Both in one call",
  judge: "A judgement",
};
const NAMES = Object.keys(LABELS) as PromptName[];

/** Every template of the task, folded away. */
export function PromptFields({
  state: { draft, teacherPrompts },
  actions,
}: {
  readonly state: Pick<AppState, "draft" | "teacherPrompts">;
  readonly actions: SetUpActions;
}): VNode {
  const [view, setView] = useState<PromptsView | null>(null);
  const { task } = draft;
  useEffect(() => {
    let gone = false;
    const look = async (): Promise<void> => {
      const found = await actions.prompts(task, teacherPrompts);
      if (!gone) setView(found);
    };
    const timer = setTimeout(() => void look(), QUIET_MS);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [task, teacherPrompts, actions]);
  const changed = Object.keys(teacherPrompts).length;
  return (
    <details class="prompts">
      <summary>Prompts{changed === 0 ? "" : ` (${changed} changed)`}</summary>
      {view === null ? (
        <p class="note">The worker has not said them yet.</p>
      ) : (
        <>
          <p class="note">
            {view.name}, version {view.version}; a run's manifest holds their hash, {view.sha256.slice(0, 12)}…
          </p>
          {NAMES.map((name) => (
            <Prompt key={name} name={name} view={view} own={teacherPrompts[name]} actions={actions} />
          ))}
        </>
      )}
    </details>
  );
}

function Prompt({
  name,
  view,
  own,
  actions,
}: {
  readonly name: PromptName;
  readonly view: PromptsView;
  /** The visitor's text; undefined while it is the built-in one. */
  readonly own: string | undefined;
  readonly actions: SetUpActions;
}): VNode {
  const problem = view.problems[name];
  const values = (view.values[name] ?? []).map((value) => `{{${value}}}`).join(", ");
  const text = own ?? view.templates[name] ?? "";
  return (
    <div class="field field-wide">
      <label for={`prompt-${name}`}>{LABELS[name]}</label>
      <textarea
        id={`prompt-${name}`}
        rows={Math.min(16, text.split("\n").length + 1)}
        spellcheck={false}
        maxLength={20_000}
        value={text}
        aria-invalid={problem !== undefined}
        aria-describedby={`about-prompt-${name}`}
        onInput={(event) => actions.editPrompt(name, event.currentTarget.value)}
      />
      <p id={`about-prompt-${name}`} class={problem === undefined ? "field-help" : "field-error"} aria-live="polite">
        {problem ?? (values === "" ? "" : `May say ${values}`)}
      </p>
      {own !== undefined && (
        <button type="button" onClick={() => actions.editPrompt(name, null)}>
          Back to the built-in text
        </button>
      )}
    </div>
  );
}
