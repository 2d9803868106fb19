/** @file Light, dark or the system's choice, kept in this browser. `public/theme.js` applies it before the first paint. */

export const THEMES = ["auto", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

/** Of `localStorage`; `public/theme.js` reads it too. */
const KEY = "tutelage-theme";

/** The theme in force. */
export function readTheme(): Theme {
  const theme = document.documentElement.dataset["theme"];
  return THEMES.find((name) => name === theme) ?? "auto";
}

/** Puts `theme` in force and keeps it where the browser lets it. */
export function chooseTheme(theme: Theme): void {
  if (theme === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
  try {
    if (theme === "auto") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
}
