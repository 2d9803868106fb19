/**
 * @file The visitor's choice of colours, put in force before the first paint; the page
 * changes it in `src/app/shell/theme.ts`. A file of its own: the page runs no inline script.
 */
try {
  const theme = localStorage.getItem("tutelage-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is switched off: the system's colours.
}
