/** @file What the fields of every asked teacher share: the test with its result. A teacher's words are shown as text only. */
import type { VNode } from "preact";
import type { TeacherCheck } from "../../../teacher/types.ts";
import type { AppState } from "../../appState.ts";
import { formatInteger, formatUsd } from "../../format.ts";
import type { CheckedSettings } from "../../settings.ts";
import type { SetUpActions } from "./setUpActions.ts";

export interface TeacherFieldsProps {
  readonly state: AppState;
  readonly checked: CheckedSettings;
  readonly actions: SetUpActions;
}

/** The button that asks the teacher once for each kind of call, and what came of it. */
export function TestTeacher({ state: { pending, teacherChecks }, checked, actions }: TeacherFieldsProps): VNode {
  return (
    <>
      <div>
        <button type="button" disabled={pending !== null || !checked.ok} onClick={() => actions.testTeacher()}>
          {pending === "teacher" ? "Testing…" : "Test teacher"}
        </button>
      </div>
      <div aria-live="polite">{teacherChecks !== null && <Checks checks={teacherChecks} />}</div>
    </>
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
      {checks.map(({ call, ok, result, note, usage, model }) => (
        <li key={call}>
          <p>
            <strong>{CALL_NAMES[call]}</strong>: {ok ? "works" : "failed"}, {formatInteger(usage.durationMs)}&nbsp;ms,{" "}
            {formatInteger(usage.promptTokens + usage.completionTokens)} tokens, {formatUsd(usage.costUsd)}
            {usage.cached === undefined ? "" : ", from the cache"}
          </p>
          {result !== "" && <pre>{result}</pre>}
          {model !== undefined && (
            <p class="field-help">
              Runs on {model.device} ({model.dtype})
              {model.fallbackReason === undefined ? "" : `, not on WebGPU: ${model.fallbackReason}`}
            </p>
          )}
          {note !== "" && <p class={ok ? "field-help" : "field-error"}>{note}</p>}
        </li>
      ))}
    </ul>
  );
}
