/** @file Fields of the set-up form: a label, an input, and below it help or what is wrong. */
import type { VNode } from "preact";
import type { SettingName, SettingsDraft } from "../settings.ts";

/** What every field gets. */
export interface FieldProps {
  readonly name: SettingName;
  readonly label: string;
  readonly help: string;
  readonly draft: SettingsDraft;
  readonly errors: Readonly<Partial<Record<SettingName, string>>>;
  readonly onChange: (name: SettingName, value: string) => void;
}

/** A whole number, as text: what is wrong is said, not kept from being typed. */
export function NumberField({ name, label, help, draft, errors, onChange }: FieldProps): VNode {
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

/** One of `options`, whose values say what each means. */
export function ChoiceField({
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
