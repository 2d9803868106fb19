/** @file Fields of the set-up form: a label with what the term means, an input, and below it help or what is wrong. */
import type { ComponentChildren, VNode } from "preact";
import type { TermId } from "../glossary.ts";
import type { CheckedSettings, SettingName, SettingsDraft } from "../settings.ts";
import { Term } from "./term.tsx";

/** What all fields of one form get. */
export interface FormProps {
  readonly draft: SettingsDraft;
  readonly errors: Readonly<Partial<Record<SettingName, string>>>;
  readonly onChange: (name: SettingName, value: string) => void;
}

/** What every field gets. */
export interface FieldProps extends FormProps {
  readonly name: SettingName;
  readonly label: string;
  readonly help: string;
  /** What the label's word means, for a question mark beside it. */
  readonly term?: TermId;
}

/** What is wrong with each field; nothing with settings that may be run. */
export function errorsOf(checked: CheckedSettings): FormProps["errors"] {
  return checked.ok ? {} : checked.errors;
}

/** Label, input and what stands below it, put together: what is wrong, in place of the help. */
export function FieldBox({
  id,
  about,
  label,
  term,
  wide = false,
  error,
  help,
  children,
  below,
}: {
  /** Of the input. */
  readonly id: string;
  /** Id of the text below, which describes the input. */
  readonly about: string;
  readonly label: string;
  readonly term?: TermId | undefined;
  readonly wide?: boolean;
  readonly error?: string | undefined;
  readonly help: ComponentChildren;
  readonly children: ComponentChildren;
  readonly below?: ComponentChildren;
}): VNode {
  return (
    <div class={wide ? "field field-wide" : "field"}>
      <div class="field-label">
        <label for={id}>{label}</label>
        {term !== undefined && <Term id={term} />}
      </div>
      {children}
      <p id={about} class={error === undefined ? "field-help" : "field-error"} aria-live="polite">
        {error ?? help}
      </p>
      {below}
    </div>
  );
}

/** A setting's text as typed: what is wrong is said, not kept from being typed. */
function Typed({
  placeholder,
  maxLength,
  decimal = false,
  wide = false,
  ...props
}: FieldProps & {
  readonly placeholder?: string | undefined;
  readonly maxLength: number;
  readonly decimal?: boolean;
  readonly wide?: boolean;
}): VNode {
  const { name, draft, errors, onChange } = props;
  const [id, about] = [`setting-${name}`, `about-${name}`];
  return (
    <FieldBox {...props} {...{ id, about, wide }} error={errors[name]}>
      <input
        id={id}
        type="text"
        autocomplete="off"
        {...(decimal ? { inputMode: "decimal" as const } : { spellcheck: false })}
        {...(placeholder === undefined ? {} : { placeholder })}
        maxLength={maxLength}
        value={draft[name]}
        aria-invalid={errors[name] !== undefined}
        aria-describedby={about}
        onInput={(event) => onChange(name, event.currentTarget.value)}
      />
    </FieldBox>
  );
}

/** A number. `placeholder`: what an empty field means. */
export function NumberField(props: FieldProps & { readonly placeholder?: string | undefined }): VNode {
  return <Typed {...props} maxLength={12} decimal />;
}

/** A line of text, over two columns. */
export function TextField({
  maxLength = 300,
  ...props
}: FieldProps & { readonly placeholder?: string; readonly maxLength?: number }): VNode {
  return <Typed {...props} maxLength={maxLength} wide />;
}

/** What only this page knows until it is closed: a key or a token. Never a setting. */
export function SecretField({
  name,
  label,
  value,
  help,
  onChange,
  children,
}: {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  readonly help: string;
  readonly onChange: (value: string) => void;
  /** Below it all. */
  readonly children?: ComponentChildren;
}): VNode {
  const [id, about] = [`setting-${name}`, `about-${name}`];
  return (
    <FieldBox {...{ id, about, label, help }} wide below={children}>
      <input
        id={id}
        type="password"
        autocomplete="off"
        maxLength={500}
        value={value}
        aria-describedby={about}
        onInput={(event) => onChange(event.currentTarget.value.trim())}
      />
    </FieldBox>
  );
}

/** One of `options`, whose values say what each means: the chosen one's is the help, unless there is another. */
export function ChoiceField({
  options,
  labels = {},
  help,
  ...props
}: Omit<FieldProps, "help"> & {
  readonly help?: string;
  readonly options: Readonly<Record<string, string>>;
  /** Names of the options where their keys are not. */
  readonly labels?: Readonly<Record<string, string>>;
}): VNode {
  const { name, draft, errors, onChange } = props;
  const value = draft[name];
  const known = Object.hasOwn(options, value);
  const [id, about] = [`setting-${name}`, `about-${name}`];
  return (
    <FieldBox {...props} {...{ id, about }} error={errors[name]} help={help ?? (known ? (options[value] ?? "") : "")}>
      <select
        id={id}
        value={value}
        aria-invalid={errors[name] !== undefined}
        aria-describedby={about}
        onChange={(event) => onChange(name, event.currentTarget.value)}
      >
        {!known && <option value={value}>{value}</option>}
        {Object.keys(options).map((key) => (
          <option key={key} value={key}>
            {labels[key] ?? key}
          </option>
        ))}
      </select>
    </FieldBox>
  );
}
