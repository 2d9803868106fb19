/** @file The page's head: name, purpose, views, what computes, light or dark. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { AppState } from "../appState.ts";
import { formatInteger } from "../format.ts";
import { formatRoute, withDrawer } from "../route.ts";
import type { ViewEntry } from "../views/registry.ts";
import { lampOf } from "../views/race/controls.tsx";
import { PROVIDER_TEXT, tokensPerSecond } from "../views/engine/engineReport.ts";
import { chooseTheme, readTheme, THEMES } from "./theme.ts";
import type { Theme } from "./theme.ts";

export interface HeaderProps {
  readonly state: AppState;
  readonly views: readonly ViewEntry[];
  /** Id of the view that is shown. */
  readonly shown: string;
}

/** The head. */
export function Header({ state, views, shown }: HeaderProps): VNode {
  return (
    <header class="masthead">
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to the content
      </a>
      <div class="brand">
        <h1>Tutelage</h1>
        <p>A small language model learns in this tab</p>
      </div>
      {views.length > 1 && (
        <nav aria-label="Views">
          <ul>
            {views.map(({ id, title }) => (
              <li key={id}>
                <a href={formatRoute({ view: id })} {...(id === shown ? { "aria-current": "page" as const } : {})}>
                  {title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
      )}
      <div class="tools">
        <EngineChip state={state} />
        <ThemeChoice />
      </div>
    </header>
  );
}

/** A hash of its own would be another view. */
function skipToMain(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function EngineChip({ state }: { readonly state: AppState }): VNode {
  const engine = state.race?.engine ?? state.lanes.find(({ run }) => run !== null)?.run?.engine ?? null;
  const speed = tokensPerSecond(state);
  return (
    <a class="chip engine-chip" href={withDrawer(state.route, "engine")} title="What computes: details and a report">
      <span class={`lamp lamp-${lampOf(state)}`} aria-hidden="true" />
      <span class="hidden">Engine: </span>
      {engine === null ? "engine at Start" : PROVIDER_TEXT[engine.ep]}
      {speed !== null && " "}
      {speed !== null && <span class="chip-speed">· {formatInteger(Math.round(speed))} tokens/s</span>}
    </a>
  );
}

const THEME_LABELS: Readonly<Record<Theme, string>> = { auto: "Auto", light: "Light", dark: "Dark" };

function ThemeChoice(): VNode {
  const [theme, setTheme] = useState(readTheme);
  return (
    <label class="theme">
      <span class="hidden">Colours</span>
      <select
        value={theme}
        onChange={(event) => {
          const next = THEMES.find((name) => name === event.currentTarget.value) ?? "auto";
          chooseTheme(next);
          setTheme(next);
        }}
      >
        {THEMES.map((name) => (
          <option key={name} value={name}>
            {THEME_LABELS[name]}
          </option>
        ))}
      </select>
    </label>
  );
}
