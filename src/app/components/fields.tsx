/** @file Fields of the set-up form: a label with what the term means, an input, and below it help or what is wrong. */
import type { VNode } from "preact";
import type { TermId } from "../glossary.ts";
import type { SettingName, SettingsDraft } from "../settings.ts";
import { Term } from "./term.tsx";

/** What every field gets. */
export interface FieldProps {
  readonly name: SettingName;
  readonly label: string;
  readonly help: string;
  /** What the label's word means, for a question mark beside it. */
  readonly term?: TermId;
  readonly draft: SettingsDraft;
  readonly errors: Readonly<Partial<Record<SettingName, string>>>;
  readonly onChange: (name: SettingName, value: string) => void;
}

function Label({ name, label, term }: Pick<FieldProps, "name" | "label" | "term">): VNode {
  return (
    <div class="field-label">
      <label for={`setting-${name}`}>{label}</label>
      {term !== undefined && <Term id={term} />}
    </div>
  );
}

function Below({
  name,
  error,
  help,
}: {
  readonly name: string;
  readonly error: string | undefined;
  readonly help: string;
}): VNode {
  return (
    <p id={`about-${name}`} class={error === undefined ? "field-help" : "field-error"} aria-live="polite">
      {error ?? help}
    </p>
  );
}

/** A number, as text: what is wrong is said, not kept from being typed. `placeholder`: what an empty field means. */
export function NumberField({
  placeholder,
  ...props
}: FieldProps & { readonly placeholder?: string | undefined }): VNode {
  const { name, help, draft, errors, onChange } = props;
  const error = errors[name];
  return (
    <div class="field">
      <Label {...props} />
      <input
        id={`setting-${name}`}
        type="text"
        inputMode="decimal"
        autocomplete="off"
        maxLength={12}
        {...(placeholder === undefined ? {} : { placeholder })}
        value={draft[name]}
        aria-invalid={error !== undefined}
        aria-describedby={`about-${name}`}
        onInput={(event) => onChange(name, event.currentTarget.value)}
      />
      <Below name={name} error={error} help={help} />
    </div>
  );
}

/** One of `options`, whose values say what each means. */
export function ChoiceField({
  options,
  labels = {},
  ...props
}: FieldProps & {
  readonly options: Readonly<Record<string, string>>;
  /** Names of the options where their keys are not. */
  readonly labels?: Readonly<Record<string, string>>;
}): VNode {
  const { name, help, draft, errors, onChange } = props;
  const error = errors[name];
  const value = draft[name];
  return (
    <div class="field">
      <Label {...props} />
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
      <Below name={name} error={error} help={help} />
    </div>
  );
}
