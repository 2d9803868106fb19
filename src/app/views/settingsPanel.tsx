/** @file The settings form: defaults ready, every field checked as it is typed. Settings apply to the next run. */
import type { ComponentChildren, VNode } from "preact";
import { useState } from "preact/hooks";
import type { CheckedSettings, SettingName, SettingsDraft } from "../settings.ts";
import {
  PROVIDERS,
  STRATEGIES,
  STUDENT_LABELS,
  STUDENTS,
  summarizeDraft,
  TEACHER_LABELS,
  TEACHERS,
} from "../settings.ts";

export interface SettingsPanelProps {
  readonly draft: SettingsDraft;
  readonly checked: CheckedSettings;
  /** A run is on the page: changes wait for the next one. */
  readonly later: boolean;
  readonly onChange: (name: SettingName, value: string) => void;
  /** Further fields of the chosen student. */
  readonly student: ComponentChildren;
  /** Further fields of the chosen teacher. */
  readonly teacher: ComponentChildren;
}

/** The panel, folded to one line that names the settings. */
export function SettingsPanel({ draft, checked, later, onChange, student, teacher }: SettingsPanelProps): VNode {
  const [unfolded, setUnfolded] = useState(false);
  const errors = checked.ok ? {} : checked.errors;
  // A field that needs a correction is never folded away.
  const open = unfolded || !checked.ok;
  const field = { draft, errors, onChange };
  return (
    <details class="settings" open={open} onToggle={(event) => setUnfolded(event.currentTarget.open)}>
      <summary>
        <span class="settings-title">Settings</span> <span class="settings-summary">{summarizeDraft(draft)}</span>
      </summary>
      <form onSubmit={(event) => event.preventDefault()} aria-label="Settings of the next run">
        {later && <p class="note">Changes apply to the next run: press New run to use them.</p>}
        <div class="fields student-choice">
          <ChoiceField
            {...field}
            name="student"
            label="Student"
            options={STUDENTS}
            labels={STUDENT_LABELS}
            help={Object.hasOwn(STUDENTS, draft.student) ? STUDENTS[draft.student as keyof typeof STUDENTS] : ""}
          />
        </div>
        {student}
        <div class="fields student-choice">
          <ChoiceField
            {...field}
            name="teacher"
            label="Teacher"
            options={TEACHERS}
            labels={TEACHER_LABELS}
            help={Object.hasOwn(TEACHERS, draft.teacher) ? TEACHERS[draft.teacher as keyof typeof TEACHERS] : ""}
          />
        </div>
        {teacher}
        <div class="fields">
          <NumberField {...field} name="seed" label="Seed" help="Same seed, same run" />
          <NumberField {...field} name="rounds" label="Rounds" help="Times round the loop" />
          <NumberField {...field} name="querySize" label="Query size" help="Seeds picked a round" />
          <NumberField {...field} name="perSeed" label="New questions" help="Asked for each picked seed" />
          <NumberField {...field} name="epochs" label="Epochs" help="Passes over the pairs, each round" />
          <NumberField {...field} name="pool" label="Pool" help="Seed questions, scored every round" />
          <NumberField {...field} name="heldOut" label="Held out" help="Questions to test on, every round" />
          <ChoiceField {...field} name="strategyA" label="First lane" options={STRATEGIES} help="Who picks the seeds" />
          <ChoiceField
            {...field}
            name="strategyB"
            label="Second lane"
            options={STRATEGIES}
            help="Who picks the seeds"
          />
          <ChoiceField
            {...field}
            name="provider"
            label="Engine"
            options={PROVIDERS}
            help={Object.hasOwn(PROVIDERS, draft.provider) ? PROVIDERS[draft.provider as keyof typeof PROVIDERS] : ""}
          />
        </div>
      </form>
    </details>
  );
}

interface FieldProps {
  readonly name: SettingName;
  readonly label: string;
  readonly help: string;
  readonly draft: SettingsDraft;
  readonly errors: Readonly<Partial<Record<SettingName, string>>>;
  readonly onChange: (name: SettingName, value: string) => void;
}

function NumberField({ name, label, help, draft, errors, onChange }: FieldProps): VNode {
  const error = errors[name];
  return (
    <div class="field">
      <label for={`setting-${name}`}>{label}</label>
      <input
        id={`setting-${name}`}
        type="text"
        inputMode="numeric"
        autocomplete="off"
        maxLength={12}
        value={draft[name]}
        aria-invalid={error !== undefined}
        aria-describedby={`about-${name}`}
        onInput={(event) => onChange(name, event.currentTarget.value)}
      />
      <p id={`about-${name}`} class={error === undefined ? "field-help" : "field-error"} aria-live="polite">
        {error ?? help}
      </p>
    </div>
  );
}

function ChoiceField({
  name,
  label,
  help,
  options,
  labels = {},
  draft,
  errors,
  onChange,
}: FieldProps & {
  readonly options: Readonly<Record<string, string>>;
  /** Names of the options where their keys are not. */
  readonly labels?: Readonly<Record<string, string>>;
}): VNode {
  const error = errors[name];
  const value = draft[name];
  return (
    <div class="field">
      <label for={`setting-${name}`}>{label}</label>
      <select
        id={`setting-${name}`}
        value={value}
        aria-invalid={error !== undefined}
        aria-describedby={`about-${name}`}
        onChange={(event) => onChange(name, event.currentTarget.value)}
      >
        {!Object.hasOwn(options, value) && <option value={value}>{value}</option>}
        {Object.keys(options).map((key) => (
          <option key={key} value={key}>
            {labels[key] ?? key}
          </option>
        ))}
      </select>
      <p id={`about-${name}`} class={error === undefined ? "field-help" : "field-error"} aria-live="polite">
        {error ?? help}
      </p>
    </div>
  );
}
