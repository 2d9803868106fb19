/** @file A study's report as one HTML file that needs nothing else: styles and drawings inside, no script, light and dark. */
import { renderToStaticMarkup } from "preact-render-to-string";
import { StudyReport } from "./studyReport.tsx";
import { STUDY_REPORT_CSS } from "./studyReportCss.ts";
import type { StudyReportData } from "../study/reportSchema.ts";

const PAGE_CSS = `:root { color-scheme: light dark; }
body { margin: 0; padding: 1.5rem clamp(1rem, 4vw, 3rem); background: light-dark(#f6f7f8, #131519); font: 1rem/1.5 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 76rem; margin: 0 auto; }`;

/** The whole document. */
export function reportHtml(report: StudyReportData): string {
  const title = escapeText(`Study ${report.name}`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${PAGE_CSS}${STUDY_REPORT_CSS}</style>
</head>
<body><main>${renderToStaticMarkup(<StudyReport report={report} />)}</main></body>
</html>
`;
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
