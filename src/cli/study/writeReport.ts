/** @file Writes a study's report: `report.json` and `report.html` in its folder. */
import { join } from "node:path";
import { reportHtml } from "../../charts/reportHtml.tsx";
import { writeWhole } from "../../storage/node/files.ts";
import { analyzeStudy } from "../../study/analyze.ts";
import type { StudyReportData } from "../../study/reportSchema.ts";
import type { Output } from "../output.ts";
import { readPlan, readStudy } from "./studyFolder.ts";

/** Analyses what the folder holds, finished or not, and returns what was written. */
export async function writeReport(folder: string, output: Output): Promise<StudyReportData> {
  const report = analyzeStudy(await readStudy(folder, await readPlan(folder)));
  await writeWhole(join(folder, "report.json"), `${JSON.stringify(report)}\n`);
  await writeWhole(join(folder, "report.html"), reportHtml(report));
  output.note(`report: ${join(folder, "report.html")}`);
  return report;
}
