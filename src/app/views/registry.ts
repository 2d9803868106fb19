/**
 * @file The views of the page in the order of its navigation. A view is added by one
 * entry; one that is not built has none. `load` keeps a heavy view out of the first
 * load: it is fetched when first shown. A view's files stand in `views/<its folder>/`:
 * component, actions, slice of the state, stylesheet (imported by the component).
 */
import type { ComponentType } from "preact";
import type { AppState } from "../appState.ts";
import type { Page } from "../controller.ts";
import { RaceView } from "./race/raceView.tsx";

/** What every view gets: the page's state, and the parts that change it. */
export interface ViewProps {
  readonly state: AppState;
  readonly page: Page;
}

export type View = ComponentType<ViewProps>;

export interface ViewEntry {
  /** In the address: `#/race`. */
  readonly id: string;
  /** In the navigation and the window's title. */
  readonly title: string;
  readonly load: View | { readonly lazy: () => Promise<View> };
}

export const VIEWS: readonly ViewEntry[] = [
  { id: "race", title: "Race", load: RaceView },
  { id: "data", title: "Data", load: { lazy: async () => (await import("./data/dataView.tsx")).DataView } },
  { id: "talk", title: "Talk", load: { lazy: async () => (await import("./talk/talkView.tsx")).TalkView } },
  { id: "runs", title: "Runs", load: { lazy: async () => (await import("./runs/runsView.tsx")).RunsView } },
  {
    id: "lessons",
    title: "Lessons",
    load: { lazy: async () => (await import("./lessons/lessonsView.tsx")).LessonsView },
  },
  {
    id: "studies",
    title: "Studies",
    load: { lazy: async () => (await import("./studies/studiesView.tsx")).StudiesView },
  },
];

/** The entry of a route's view; the first for one that is not known. */
export function viewOf(id: string): ViewEntry {
  const [home] = VIEWS;
  const entry = VIEWS.find((view) => view.id === id) ?? home;
  if (entry === undefined) throw new Error("views: expected at least one");
  return entry;
}
