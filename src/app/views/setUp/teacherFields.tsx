/** @file Fields of a chat teacher: where and whom to ask, the key, ceilings and prices, the estimate, and the test. A teacher's words are shown as text only. */
import type { VNode } from "preact";
import type { TeacherCheck } from "../../../teacher/types.ts";
import type { AppState } from "../../appState.ts";
import { formatCount, formatInteger, formatUsd } from "../../format.ts";
import { OWN_ADDRESS } from "../../origins.ts";
import type { CheckedSettings, SettingName } from "../../settings.ts";
import { estimateTeacher } from "../../settings.ts";
import type { SetUpActions } from "./setUpActions.ts";

export interface TeacherFieldsProps {
  readonly state: AppState;
  readonly checked: CheckedSettings;
  readonly actions: SetUpActions;
}

/** The fields that a chat teacher needs; none for the built-in one. */
export function TeacherFields({ state, checked, actions }: TeacherFieldsProps): VNode | null {
  const { draft, teacherKey, teacherChecks, pending } = state;
  if (!Object.hasOwn(OWN_ADDRESS, draft.teacher)) return null;
  const address = draft.teacherUrl.trim() || OWN_ADDRESS[draft.teacher];
  const field = { draft, checked, actions };
  return (
    <div class="teacher">
      <div class="fields">
        <TextField
          {...field}
          name="teacherModel"
          label="Teacher model"
          placeholder="as the service names it"
          help="Of the service asked"
        />
        <TextField
          {...field}
          name="teacherUrl"
          label="Address"
          placeholder={OWN_ADDRESS[draft.teacher] ?? ""}
          help="Empty: the provider's own. Ollama: http://localhost:11434/v1"
        />
        <div class="field field-wide">
          <label for="setting-teacher-key">Key</label>
          <input
            id="setting-teacher-key"
            type="password"
            autocomplete="off"
            maxLength={500}
            value={teacherKey}
            aria-describedby="about-teacher-key"
            onInput={(event) => actions.setTeacherKey(event.currentTarget.value.trim())}
          />
          <p id="about-teacher-key" class="field-help">
            Sent to {address} alone. Kept until this page is closed, never stored
          </p>
        </div>
        <TextField
          {...field}
          name="teacherRequests"
          label="Requests at most"
          help="Of both lanes together, retries included"
        />
        <TextField
          {...field}
          name="teacherPromptPrice"
          label="Price of a prompt"
          help="US dollars per million tokens"
        />
        <TextField
          {...field}
          name="teacherCompletionPrice"
          label="Price of a reply"
          help="US dollars per million tokens"
        />
        <TextField {...field} name="teacherBudget" label="Spend at most" help="US dollars, both lanes together" />
      </div>
      {checked.ok && <Estimate checked={checked} />}
      <div>
        <button type="button" disabled={pending !== null || !checked.ok} onClick={() => actions.testTeacher()}>
          {pending === "teacher" ? "Testing…" : "Test teacher"}
        </button>
      </div>
      <div aria-live="polite">{teacherChecks !== null && <Checks checks={teacherChecks} />}</div>
    </div>
  );
}

function Estimate({ checked }: { readonly checked: CheckedSettings & { readonly ok: true } }): VNode {
  const { requests, tokens, costUsd } = estimateTeacher(checked.settings);
  return (
    <p class="note">
      A whole run asks about {formatCount(requests, "request")} and {formatInteger(tokens)} tokens
      {costUsd === null ? "" : `, about ${formatUsd(costUsd)}`}. It stops cleanly where a ceiling is reached. The page
      needs the service's leave to be asked from a browser (CORS).
    </p>
  );
}

const CALL_NAMES: Readonly<Record<TeacherCheck["call"], string>> = {
  propose: "A new question",
  answer: "An answer",
  pair: "A question and its answer",
  judge: "A judgement",
};

function Checks({ checks }: { readonly checks: readonly TeacherCheck[] }): VNode {
  return (
    <ul class="checks" aria-label="Result of the test">
      {checks.map(({ call, ok, result, note, usage }) => (
        <li key={call}>
          <p>
            <strong>{CALL_NAMES[call]}</strong>: {ok ? "works" : "failed"}, {formatInteger(usage.durationMs)}&nbsp;ms,{" "}
            {formatInteger(usage.promptTokens + usage.completionTokens)} tokens, {formatUsd(usage.costUsd)}
            {usage.cached === undefined ? "" : ", from the cache"}
          </p>
          {result !== "" && <pre>{result}</pre>}
          {note !== "" && <p class={ok ? "field-help" : "field-error"}>{note}</p>}
        </li>
      ))}
    </ul>
  );
}

function TextField({
  name,
  label,
  help,
  placeholder = "",
  checked,
  draft,
  actions,
}: {
  readonly name: SettingName;
  readonly label: string;
  readonly help: string;
  readonly placeholder?: string;
  readonly draft: AppState["draft"];
  readonly checked: CheckedSettings;
  readonly actions: SetUpActions;
}): VNode {
  const error = checked.ok ? undefined : checked.errors[name];
  return (
    <div class="field field-wide">
      <label for={`setting-${name}`}>{label}</label>
      <input
        id={`setting-${name}`}
        type="text"
        autocomplete="off"
        spellcheck={false}
        placeholder={placeholder}
        maxLength={300}
        value={draft[name]}
        aria-invalid={error !== undefined}
        aria-describedby={`about-${name}`}
        onInput={(event) => actions.changeSetting(name, event.currentTarget.value)}
      />
      <p id={`about-${name}`} class={error === undefined ? "field-help" : "field-error"} aria-live="polite">
        {error ?? help}
      </p>
    </div>
  );
}
