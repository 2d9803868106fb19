/** @file The whole page from one state: head, what went wrong, the route's view, the open drawer. */
import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import { laneLabels } from "../appState.ts";
import { drawerOf, withDrawer } from "../route.ts";
import { EnginePanel } from "../views/engine/enginePanel.tsx";
import { announcement } from "../views/race/controls.tsx";
import { VIEWS, viewOf } from "../views/registry.ts";
import type { ViewProps } from "../views/registry.ts";
import { SetUpDrawer } from "../views/setUp/setUpDrawer.tsx";
import { Announcer } from "./announcer.tsx";
import { Banners } from "./banners.tsx";
import { DrawerView } from "./drawer.tsx";
import { Header } from "./header.tsx";
import { ViewOutlet } from "./viewOutlet.tsx";

/** The page. */
export function AppView({ state, page }: ViewProps): VNode {
  const { route } = state;
  const entry = viewOf(route.view);
  const drawer = drawerOf(route);
  const close = (): void => location.replace(withDrawer(route, null));
  // A modal drawer hides the rest of the page: what went wrong is told inside it.
  const banners = <Banners state={state} page={page} />;
  useEffect(() => {
    document.title = `${entry.title} · Tutelage`;
  }, [entry.title]);
  return (
    <>
      <Header state={state} views={VIEWS} shown={entry.id} />
      <Announcer text={announcement(state, laneLabels(state))} />
      {drawer === null && banners}
      <main id="main" tabIndex={-1} class={`view view-${entry.id}`}>
        <ViewOutlet key={entry.id} entry={entry} state={state} page={page} />
      </main>
      <footer class="colophon">
        <p>
          A tiny student, one seed and a few hundred pairs: a demonstration of the method, not evidence about language
          models. The loop is Algorithm 1 of <a href="https://arxiv.org/abs/2512.00884">Kessler et al., 2025</a>.
        </p>
      </footer>
      {drawer === "setup" && <SetUpDrawer state={state} page={page} banners={banners} onClose={close} />}
      {drawer === "engine" && (
        <DrawerView title="Engine" banners={banners} onClose={close}>
          <EnginePanel state={state} page={page} />
        </DrawerView>
      )}
    </>
  );
}
