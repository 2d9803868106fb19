/** @file Global set-up of the e2e project: builds the page and the command line once, as `npm run build` does. */
import { buildCli, buildPage } from "../../scripts/build.mjs";

export default async function buildOnce(): Promise<void> {
  await buildPage();
  await buildCli();
}
