/**
 * @file The page's actions put together: the worker, the race, the set-up. What only
 * one view needs stands with that view, on the `Page` that every view gets.
 */
import type { AppState } from "./appState.ts";
import type { Connect } from "./connection.ts";
import { NO_KEPT_KEYS } from "./keptKeys.ts";
import { originsOf } from "./origins.ts";
import type { OfflineActions } from "./offline.ts";
import { offlineActions } from "./offline.ts";
import type { Memory, RaceActions, SaveFile } from "./raceActions.ts";
import { RaceController } from "./raceActions.ts";
import { checkSettings } from "./settings.ts";
import type { Store } from "./store.ts";
import type { SetUpActions } from "./views/setUp/setUpActions.ts";
import { SetUpController } from "./views/setUp/setUpActions.ts";
import { WorkerLink } from "./workerLink.ts";

/** Parts of the page that do something. */
export interface Page {
  readonly store: Store<AppState>;
  readonly link: WorkerLink;
  readonly race: RaceActions;
  readonly setUp: SetUpActions;
  readonly offline: OfflineActions;
  readonly saveFile: SaveFile;
  dismissProblem(): void;
}

export class Controller implements Page {
  readonly store: Store<AppState>;
  readonly link: WorkerLink;
  readonly race: RaceController;
  readonly setUp: SetUpController;
  readonly offline: OfflineActions;
  readonly saveFile: SaveFile;

  constructor(
    store: Store<AppState>,
    connect: Connect,
    memory: Memory,
    saveFile: SaveFile = () => undefined,
    keys = NO_KEPT_KEYS,
  ) {
    this.store = store;
    this.saveFile = saveFile;
    this.link = new WorkerLink(store, connect);
    this.offline = offlineActions(store);
    this.setUp = new SetUpController(store, this.link, saveFile, keys);
    this.setUp.recallKey();
    this.race = new RaceController({
      store,
      link: this.link,
      memory,
      saveFile,
      loadModels: (service) => this.setUp.loadModels(service),
      onEngine: (ep) => this.offline.keepUsed(ep),
    });
  }

  /** Starts the worker and shows the newest unfinished run, if there is one. Resolves when that is done or has failed. */
  async open(): Promise<void> {
    await this.link.guard("worker", async () => {
      // Most often the settings of the address are those that will be run.
      const checked = checkSettings(this.store.state.draft);
      const service = await this.link.open(checked.ok ? originsOf([checked.settings]) : []);
      await this.race.showUnfinished(service);
      if (this.store.state.draft.student === "hub") await this.setUp.loadModels(service);
    });
  }

  dismissProblem(): void {
    this.link.set({ problem: null });
  }
}
