/** @file The canonical form of a text that no task can read: the text itself, letter case and spaces aside. */

import { MAX_LOOKED_AT } from "./lines.ts";

/** Key of a text of unknown origin; one over 100,000 characters is its own key as it stands. Never that of a question a task can read: those keys do not begin with "text ". */
export function textForm(text: string): string {
  return text.length > MAX_LOOKED_AT ? `text ${text}` : `text ${text.trim().toLowerCase().replace(/\s+/g, " ")}`;
}
