/** @file Puts the page into an element and keeps it drawn, at most once per animation frame. */
import { render } from "preact";
import type { AppState } from "./appState.ts";
import { initialState } from "./appState.ts";
import type { Connect } from "./connection.ts";
import { Controller } from "./controller.ts";
import { keptKeys } from "./keptKeys.ts";
import type { Memory } from "./raceActions.ts";
import { parseRoute } from "./route.ts";
import { draftFromQuery, queryFromDraft } from "./shareLink.ts";
import { saveFile } from "./saveFile.ts";
import { AppView } from "./shell/appView.tsx";
import { Store } from "./store.ts";

/** Draws the page into `root` and starts the worker through `connect`. Returns how to take both away again. */
export function mountPage(root: HTMLElement, connect: Connect): () => void {
  const state = {
    ...initialState(draftFromQuery(location.search), globalThis.crossOriginIsolated === true),
    route: parseRoute(location.hash),
  };
  const store = new Store<AppState>(state, (draw) => requestAnimationFrame(draw));
  const controller = new Controller(
    store,
    connect,
    putAwayMemory,
    saveFile,
    keptKeys(() => localStorage),
  );
  const onHash = (): void => store.update((now) => ({ ...now, route: parseRoute(location.hash) }));
  addEventListener("hashchange", onHash);
  let { draft } = state;
  store.listen((next) => {
    render(<AppView state={next} page={controller} />, root);
    if (next.draft === draft) return;
    draft = next.draft;
    history.replaceState(null, "", `${location.pathname}${queryFromDraft(draft, location.search)}${location.hash}`);
  });
  // The first screen comes first.
  void controller.open().finally(() => controller.offline.begin());
  return () => {
    removeEventListener("hashchange", onHash);
    store.listen(() => undefined);
    controller.link.close();
    render(null, root);
  };
}

const PUT_AWAY_KEY = "tutelage-put-away";

/** Which race was put away. A browser that stores nothing only offers it again. */
const putAwayMemory: Memory = {
  read() {
    try {
      return localStorage.getItem(PUT_AWAY_KEY);
    } catch {
      return null;
    }
  },
  write(raceId) {
    try {
      localStorage.setItem(PUT_AWAY_KEY, raceId);
    } catch {
      // Storage is switched off: the run will be offered again, nothing is lost.
    }
  },
};
