/** @file Fields of a chat teacher: where and whom to ask, the key, ceilings and prices, the estimate, and the test. A teacher's words are shown as text only. */
import type { VNode } from "preact";
import { errorsOf, SecretField, TextField } from "../../components/fields.tsx";
import { OWN_ADDRESS } from "../../origins.ts";
import { LocalTeacherFields } from "./localTeacherFields.tsx";
import { Estimate } from "./teacherEstimate.tsx";
import { PromptFields } from "./promptFields.tsx";
import { ReachHelp } from "./reachHelp.tsx";
import { ReplyCache } from "./replyCache.tsx";
import type { TeacherFieldsProps } from "./teacherInputs.tsx";
import { TestTeacher } from "./teacherInputs.tsx";
import { TeacherLimits } from "./teacherLimits.tsx";

/** The fields that a chat teacher needs; none for the built-in one. */
export function TeacherFields({ state, checked, actions }: TeacherFieldsProps): VNode | null {
  const { draft, teacherKey, teacherKeyKept } = state;
  if (draft.teacher === "transformers") return <LocalTeacherFields {...{ state, checked, actions }} />;
  if (!Object.hasOwn(OWN_ADDRESS, draft.teacher)) return null;
  const address = draft.teacherUrl.trim() || OWN_ADDRESS[draft.teacher];
  const field = { draft, errors: errorsOf(checked), onChange: actions.changeSetting.bind(actions) };
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
        <SecretField
          name="teacher-key"
          label="Key"
          value={teacherKey}
          help={`Sent to ${address} alone. ${teacherKeyKept ? "Kept in this browser until you forget it" : "Kept until this page is closed, never stored"}`}
          onChange={(key) => actions.setTeacherKey(key)}
        >
          <label class="check">
            <input
              type="checkbox"
              checked={teacherKeyKept}
              aria-describedby="about-kept-key"
              onChange={(event) => actions.keepTeacherKey(event.currentTarget.checked)}
            />{" "}
            Keep the key in this browser
          </label>
          <p id="about-kept-key" class="field-help">
            It is then stored unencrypted: whoever uses this browser, and every page at {location.origin}, can read it
          </p>
        </SecretField>
        <TextField
          {...field}
          name="teacherRequests"
          label="Requests at most"
          help="Of all lanes together, retries included"
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
        <TextField {...field} name="teacherBudget" label="Spend at most" help="US dollars, all lanes together" />
      </div>
      {checked.ok && <Estimate checked={checked} prompts={state.teacherPrompts} actions={actions} />}
      <TeacherLimits state={state} checked={checked} actions={actions} />
      <ReachHelp />
      <PromptFields state={state} actions={actions} />
      <ReplyCache actions={actions} />
      <TestTeacher state={state} checked={checked} actions={actions} />
    </div>
  );
}
