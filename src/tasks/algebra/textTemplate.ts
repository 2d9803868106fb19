/**
 * @file Texts with numbers in them, written and read by one template. Slots:
 * `{a}` a whole number, `{a*}` a coefficient (1 is not written, −1 is a sign), `{+a}` a term
 * with its sign (`+ 5`, `- 3`), `{+a*}` a coefficient with its sign (`+ 2`, `-`), `{v}` and `{w}` letters.
 */

/** Values of the number slots, by slot name. */
export type Numbers = Readonly<Record<string, number>>;

/** What a text says: its numbers and its letters. */
export interface Filled {
  readonly numbers: Numbers;
  readonly letters: Readonly<Record<string, string>>;
}

export interface TextTemplate {
  readonly source: string;
  write(filled: Filled): string;
  /** The slots of `text`, undefined when the template cannot have written it. */
  read(text: string): Filled | undefined;
}

const SLOT = /\{(\+?)([a-z]+)(\*?)\}/g;
const LETTER_SLOTS: readonly string[] = ["v", "w"];
const MAX_DIGITS = 5;

/** The template of `source`. Reading is the exact inverse of writing: what is read is written again and compared. */
export function textTemplate(source: string): TextTemplate {
  const slots = [...source.matchAll(SLOT)].map(([, plus, name = "", star]) => ({
    name,
    signed: plus === "+",
    coefficient: star === "*",
  }));
  const literals = source.split(/\{\+?[a-z]+\*?\}/);
  const pattern = new RegExp(
    `^${literals.map(escape).reduce((all, literal, i) => `${all}${slotPattern(slots[i - 1])}${literal}`)}$`,
  );
  const write = ({ numbers, letters }: Filled): string =>
    literals.reduce((all, literal, i) => {
      const slot = slots[i - 1];
      if (slot === undefined) return literal;
      const text = LETTER_SLOTS.includes(slot.name)
        ? (letters[slot.name] ?? "")
        : numberText(numbers[slot.name] ?? 0, slot.signed, slot.coefficient);
      return all + text + literal;
    }, "");
  return {
    source,
    write,
    read(text) {
      const match = pattern.exec(text);
      if (match === null) return undefined;
      const numbers: Record<string, number> = {};
      const letters: Record<string, string> = {};
      slots.forEach(({ name, coefficient }, i) => {
        const got = match[i + 1] ?? "";
        if (LETTER_SLOTS.includes(name)) letters[name] = got;
        else numbers[name] = readNumber(got, coefficient);
      });
      const filled = { numbers, letters };
      return write(filled) === text ? filled : undefined;
    },
  };
}

function escape(literal: string): string {
  return literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

function slotPattern(slot: { name: string; signed: boolean; coefficient: boolean } | undefined): string {
  if (slot === undefined) return "";
  if (LETTER_SLOTS.includes(slot.name)) return "([a-z])";
  const digits = slot.coefficient ? `[0-9]{0,${MAX_DIGITS}}` : `[0-9]{1,${MAX_DIGITS}}`;
  return slot.signed ? `([+-] ${digits})` : `(-?${digits})`;
}

function readNumber(text: string, coefficient: boolean): number {
  const digits = text.replaceAll(/[ +]/g, "");
  return coefficient && (digits === "" || digits === "-") ? Number(`${digits}1`) : Number(digits);
}

/** A number as a slot writes it. */
export function numberText(value: number, signed: boolean, coefficient: boolean): string {
  const size = Math.abs(value);
  const digits = coefficient && size === 1 ? "" : String(size);
  return signed ? `${value < 0 ? "-" : "+"} ${digits}` : `${value < 0 ? "-" : ""}${digits}`;
}
