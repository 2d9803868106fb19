/** @file The set-up form: defaults ready, every field checked as it is typed. Settings apply to the next run. */
import type { ComponentChildren, VNode } from "preact";
import { ChoiceField, NumberField } from "../../components/fields.tsx";
import type { CheckedSettings, SettingName, SettingsDraft } from "../../settings.ts";
import { PROVIDERS, STRATEGIES, STUDENT_LABELS, STUDENTS, TEACHER_LABELS, TEACHERS } from "../../choices.ts";

export interface SetUpFormProps {
  readonly draft: SettingsDraft;
  readonly checked: CheckedSettings;
  readonly onChange: (name: SettingName, value: string) => void;
  /** Further fields of the chosen student. */
  readonly student: ComponentChildren;
  /** Further fields of the chosen teacher. */
  readonly teacher: ComponentChildren;
}

/** The form, in groups. */
export function SetUpForm({ draft, checked, onChange, student, teacher }: SetUpFormProps): VNode {
  const errors = checked.ok ? {} : checked.errors;
  const field = { draft, errors, onChange };
  const helpOf = (options: Readonly<Record<string, string>>, value: string): string =>
    Object.hasOwn(options, value) ? (options[value] ?? "") : "";
  return (
    <form class="set-up" onSubmit={(event) => event.preventDefault()} aria-label="Settings of the next run">
      <Group title="Student">
        <ChoiceField
          {...field}
          name="student"
          label="Student"
          options={STUDENTS}
          labels={STUDENT_LABELS}
          help={helpOf(STUDENTS, draft.student)}
        />
        {student}
      </Group>
      <Group title="Teacher">
        <ChoiceField
          {...field}
          name="teacher"
          label="Teacher"
          options={TEACHERS}
          labels={TEACHER_LABELS}
          help={helpOf(TEACHERS, draft.teacher)}
        />
        {teacher}
      </Group>
      <Group title="Questions">
        <div class="fields">
          <NumberField {...field} name="pool" label="Pool" help="Seed questions, scored every round" />
          <NumberField {...field} name="heldOut" label="Held out" help="Questions to test on, every round" />
        </div>
      </Group>
      <Group title="Lanes">
        <div class="fields">
          <ChoiceField {...field} name="strategyA" label="First lane" options={STRATEGIES} help="Who picks the seeds" />
          <ChoiceField
            {...field}
            name="strategyB"
            label="Second lane"
            options={STRATEGIES}
            help="Who picks the seeds"
          />
        </div>
      </Group>
      <Group title="Budget and training">
        <div class="fields">
          <NumberField {...field} name="rounds" label="Rounds" help="Times round the loop" />
          <NumberField {...field} name="querySize" label="Query size" help="Seeds picked a round" />
          <NumberField {...field} name="perSeed" label="New questions" help="Asked for each picked seed" />
          <NumberField {...field} name="epochs" label="Epochs" help="Passes over the pairs, each round" />
          <NumberField {...field} name="seed" label="Seed" help="Same seed, same run" />
          <ChoiceField
            {...field}
            name="provider"
            label="Engine"
            options={PROVIDERS}
            help={helpOf(PROVIDERS, draft.provider)}
          />
        </div>
      </Group>
    </form>
  );
}

function Group({ title, children }: { readonly title: string; readonly children: ComponentChildren }): VNode {
  return (
    <fieldset class="group">
      <legend>{title}</legend>
      {children}
    </fieldset>
  );
}
