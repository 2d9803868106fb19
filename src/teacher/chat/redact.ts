/** @file Keys out of texts: a server may repeat what it was sent, in errors and in replies. */

/** Shorter ones are placeholders such as "none", and part of ordinary words. */
const MIN_KEY_LENGTH = 8;

/** A function that replaces every form in which `key` may appear in a text. */
export function redactor(key: string | undefined): (text: string) => string {
  if (key === undefined || key.length < MIN_KEY_LENGTH) return (text) => text;
  const forms = [...new Set([key, encodeURIComponent(key), JSON.stringify(key).slice(1, -1), base64(key)])];
  return (text) => forms.reduce((out, form) => out.replaceAll(form, "[key]"), text);
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
