/** @file The report's styles, as text: the HTML file carries them, the page adds them. Colours come from the page's tokens where they are there. */

/** Rules for everything inside `.study-report`. */
export const STUDY_REPORT_CSS = `
.study-report {
  --sr-ink: var(--ink, light-dark(#1a1d21, #eceef1));
  --sr-soft: var(--ink-soft, light-dark(#474d56, #bcc2cb));
  --sr-rule: var(--rule, light-dark(#dfe2e6, #31363d));
  --sr-front: var(--lane-0, light-dark(#0a64a4, #66b5f0));
  --sr-behind: var(--ink-faint, light-dark(#646b75, #949ba6));
  --sr-back: var(--lane-1, light-dark(#b34d00, #f2a05c));
  --sr-surface: var(--surface, light-dark(#ffffff, #1b1e23));
  --sr-notice: var(--notice-bg, light-dark(#eef4fb, #1d2938));
  color: var(--sr-ink);
}
.study-report :is(h2, h3, h4) { margin: 1.6em 0 0.4em; line-height: 1.2; }
.study-report p { max-width: 72ch; }
.study-report .sr-soft { color: var(--sr-soft); font-weight: normal; }
.study-report .sr-cautions { max-width: 72ch; margin: 1em 0; padding: 0.7em 1em 0.7em 2em; border-left: 4px solid var(--sr-back); background: var(--sr-notice); }
.study-report details { margin: 0.5em 0; }
.study-report summary { cursor: pointer; padding: 0.25em 0; }
.study-report dt { font-weight: 600; }
.study-report dd { margin: 0 0 0.5em 1.5em; max-width: 66ch; }
.study-report .sr-scroll { overflow-x: auto; margin: 0.5em 0 1em; }
.study-report table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
.study-report caption { padding: 0.3em 0; text-align: left; color: var(--sr-soft); }
.study-report :is(th, td) { padding: 0.3em 0.8em 0.3em 0; border-bottom: 1px solid var(--sr-rule); text-align: left; vertical-align: top; }
.study-report thead th { vertical-align: bottom; }
.study-report td small { white-space: nowrap; }
.study-report .sr-wins :is(th, td) { padding: 0.3em 0.6em; }
.study-report .sr-wins td { white-space: nowrap; }
.study-report .sr-ahead { background: color-mix(in srgb, var(--sr-front) calc(45% * var(--share)), transparent); }
.study-report .sr-back { background: color-mix(in srgb, var(--sr-back) calc(45% * var(--share)), transparent); }
.study-report .sr-panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 0.75rem 1.25rem; }
.study-report .sr-panel { margin: 0; }
.study-report .sr-panel figcaption { font-weight: 600; font-size: 0.875rem; }
.study-report svg { display: block; width: 100%; height: auto; }
.study-report .sr-forest { min-width: 34rem; max-width: 48rem; }
.study-report svg text { fill: var(--sr-soft); font-size: 11px; }
.study-report .sr-grid { stroke: var(--sr-rule); }
.study-report :is(.sr-base, .sr-tick, .sr-zero) { stroke: var(--sr-behind); }
.study-report .sr-line { fill: none; stroke-width: 1.75; stroke-linejoin: round; }
.study-report .sr-band { opacity: 0.16; }
.study-report .sr-front :is(.sr-line, .sr-open, .sr-dot) { stroke: var(--sr-front); }
.study-report .sr-front :is(.sr-band, .sr-dot) { fill: var(--sr-front); }
.study-report .sr-open { fill: var(--sr-surface); stroke-width: 1.5; }
.study-report .sr-behind .sr-line { stroke: var(--sr-behind); stroke-dasharray: 4 3; }
.study-report .sr-behind :is(.sr-band, .sr-dot) { fill: var(--sr-behind); }
@media print { .study-report details { display: block; } }
`;
