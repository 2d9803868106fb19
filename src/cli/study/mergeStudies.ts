/** @file Joins folders of one study, each with some of its runs, into one. Finished runs win; two finished ones must be equal. */
import { badInput } from "../../core/errors.ts";
import type { Output } from "../output.ts";
import {
  claimFolder,
  copyFailure,
  copyRun,
  readMeasures,
  readPlan,
  readRuns,
  refuseOther,
  roundsText,
} from "./studyFolder.ts";

/**
 * Copies into `out` what `folders` hold of their study; `out` may be one that was merged before.
 * @throws BadInputError for folders of different studies, and for a run that is finished twice with different numbers.
 */
export async function mergeStudies(folders: readonly string[], out: string, output: Output): Promise<void> {
  const [first, ...others] = folders;
  if (first === undefined) badInput("tutelage study merge", "one folder or more", "none");
  const plan = await readPlan(first);
  for (const folder of others) refuseOther(folder, await readPlan(folder), plan);
  await claimFolder(out, plan);
  for (const { id } of plan.cells) {
    for (const folder of folders) {
      const finished = (await readMeasures(folder, id)) !== undefined;
      const rounds = await roundsText(folder, id);
      if ((await readMeasures(out, id)) !== undefined) {
        if (finished && rounds !== (await roundsText(out, id)))
          badInput(
            `${folder}, run ${id}`,
            "the numbers that another folder has",
            "others",
            "Were they computed on different engines, threads or versions? Merge one of them",
          );
        continue;
      }
      // Of two unfinished runs the one that came further.
      if (finished || rounds.length > (await roundsText(out, id)).length) await copyRun(folder, out, id);
      if (!finished) await copyFailure(folder, out, id);
    }
  }
  const runs = await readRuns(out, plan);
  const finished = runs.filter(({ state }) => state === "finished").length;
  output.note(`${finished} of ${runs.length} runs are finished in ${out}`);
}
