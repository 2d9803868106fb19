/** @file Fields of a teacher that most visitors leave alone: further ceilings, rates, how long to wait, what form a reply has; folded away unless one is set. */
import type { VNode } from "preact";
import { REPLY_FORM_LABELS, REPLY_FORMS } from "../../choices.ts";
import { ChoiceField, errorsOf, NumberField } from "../../components/fields.tsx";
import { DEFAULT_DRAFT } from "../../settings.ts";
import type { SettingName } from "../../settings.ts";
import type { TeacherFieldsProps } from "./teacherInputs.tsx";

const NAMES = [
  "teacherTokens",
  "teacherMinutes",
  "teacherRpm",
  "teacherTpm",
  "teacherConcurrency",
  "teacherTimeout",
  "teacherReplyTokens",
  "teacherStructured",
] as const satisfies readonly SettingName[];

/** `local`: a model in the tab, which has no rates and answers one request at a time. */
export function TeacherLimits({
  state: { draft },
  checked,
  actions,
  local = false,
}: TeacherFieldsProps & { readonly local?: boolean }): VNode {
  const field = { draft, errors: errorsOf(checked), onChange: actions.changeSetting.bind(actions) };
  const open = NAMES.some((name) => draft[name] !== DEFAULT_DRAFT[name]);
  return (
    <details class="limits" {...(open ? { open: true } : {})}>
      <summary>More limits, waiting, form of replies</summary>
      <div class="fields">
        <NumberField
          {...field}
          name="teacherTokens"
          label="Tokens at most"
          help="All lanes together. Empty: no limit"
        />
        <NumberField
          {...field}
          name="teacherMinutes"
          label="Minutes at most"
          help="From a lane's first request. Empty: no limit"
        />
        {!local && (
          <>
            <NumberField
              {...field}
              name="teacherRpm"
              label="Requests a minute"
              help="All lanes together; more wait. Empty: no limit"
            />
            <NumberField
              {...field}
              name="teacherTpm"
              label="Tokens a minute"
              help="All lanes together; more wait. Empty: no limit"
            />
            <NumberField
              {...field}
              name="teacherConcurrency"
              label="Requests at once"
              placeholder="4"
              help="Of each lane. Empty: 4"
            />
          </>
        )}
        <NumberField
          {...field}
          name="teacherTimeout"
          label="Wait for a reply"
          placeholder={local ? "600" : "60"}
          help={`Seconds. Empty: ${local ? "600" : "60"}`}
        />
        <NumberField
          {...field}
          name="teacherReplyTokens"
          label="Longest reply"
          placeholder={local ? "400" : "1024"}
          help={`Tokens, thinking included. Empty: ${local ? "400" : "1024"}`}
        />
        {!local && (
          <ChoiceField
            {...field}
            name="teacherStructured"
            label="Form of replies"
            options={REPLY_FORMS}
            labels={REPLY_FORM_LABELS}
          />
        )}
      </div>
    </details>
  );
}
