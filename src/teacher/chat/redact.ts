/** @file Keys out of texts: a server may repeat what it was sent, in errors and in replies. */

/** Shorter ones are placeholders such as "none", and part of ordinary words. */
const MIN_KEY_LENGTH = 8;

/**
 * A function that replaces `key` in a text: as it is, each letter perhaps escaped as in JSON
 * (at any depth), in addresses or in HTML; and in base64. What a server hides on purpose in
 * other ways is not found.
 */
export function redactor(key: string | undefined): (text: string) => string {
  if (key === undefined || key.length < MIN_KEY_LENGTH) return (text) => text;
  const encoded = base64(key).replace(/=+$/, "");
  const forms = [
    Array.from(key, formsOfLetter).join(""),
    ...[encoded, encoded.replaceAll("+", "-").replaceAll("/", "_")].map((form) => `${literal(form)}={0,2}`),
  ];
  const pattern = new RegExp(forms.join("|"), "g");
  return (text) => text.replaceAll(pattern, "[key]");
}

function formsOfLetter(letter: string): string {
  const code = letter.codePointAt(0) ?? 0;
  const hex = anyCase(code.toString(16));
  const units = letter.split("").map((unit) => `\\\\+u${anyCase(unit.charCodeAt(0).toString(16).padStart(4, "0"))}`);
  const address = [...new TextEncoder().encode(letter)].map(
    (byte) => `%${anyCase(byte.toString(16).padStart(2, "0"))}`,
  );
  return `(?:\\\\*${literal(letter)}|${units.join("")}|${address.join("")}|&#${code};|&#[xX]0*${hex};)`;
}

/** Of hexadecimal digits. */
function anyCase(digits: string): string {
  return digits.replaceAll(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

function literal(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
