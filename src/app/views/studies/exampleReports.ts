/** @file Reports of this repository's own studies, to look at before running one. Files of the build, fetched when asked for. */
import paperUrl from "../../../../docs/studies/paper/report.json?url";
import rareUrl from "../../../../docs/studies/rare-wording/report.json?url";

export interface ExampleReport {
  readonly title: string;
  /** What it compares, and over how much. */
  readonly about: string;
  readonly url: string;
}

export const EXAMPLE_REPORTS: readonly ExampleReport[] = [
  {
    title: "The paper's comparison",
    about: "four tasks, 15 strategies and baselines, 5 seeds: 300 runs",
    url: paperUrl,
  },
  {
    title: "A rare kind",
    about: "three tasks where one seed in ten is of the kind that the test asks, 5 seeds: 225 runs",
    url: rareUrl,
  },
];
