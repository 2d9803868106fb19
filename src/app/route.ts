/**
 * @file Where the page is, as the address's hash says it: `#/data/run-7?open=setup` is
 * the view `data`, the rest `["run-7"]`, the drawer `setup`. Settings of a run are in
 * the query string before the hash (`settings.ts`), so that a link may carry both. Pure.
 */

export interface Route {
  /** Id of a view; of the registry or not. */
  readonly view: string;
  /** Path below the view, decoded. */
  readonly rest: readonly string[];
  readonly query: URLSearchParams;
}

/** Drawers that open over any view. */
export const DRAWERS = ["setup", "engine"] as const;
export type Drawer = (typeof DRAWERS)[number];

/** First screen. */
export const HOME = "race";

/** The route of a hash with or without its `#`; `HOME` where it names no view. Never throws: a link may be anything. */
export function parseRoute(hash: string): Route {
  const text = hash.replace(/^#/, "");
  const [path = "", ...query] = text.split("?");
  const [view = "", ...rest] = path.split("/").filter((part) => part !== "");
  return {
    view: view === "" ? HOME : decode(view),
    rest: rest.map(decode),
    query: new URLSearchParams(query.join("?")),
  };
}

/** The hash of a route, for `href`. `parseRoute` reads it back. */
export function formatRoute({ view, rest = [], query }: Partial<Route> & Pick<Route, "view">): string {
  const path = [view, ...rest].map(encodeURIComponent).join("/");
  const text = query?.toString() ?? "";
  return `#/${path}${text === "" ? "" : `?${text}`}`;
}

/** The drawer that a route opens. */
export function drawerOf({ query }: Route): Drawer | null {
  const open = query.get("open");
  return DRAWERS.find((drawer) => drawer === open) ?? null;
}

/** The same place with `drawer` open, or with none, for `href`. */
export function withDrawer(route: Route, drawer: Drawer | null): string {
  const query = new URLSearchParams(route.query);
  if (drawer === null) query.delete("open");
  else query.set("open", drawer);
  return formatRoute({ ...route, query });
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
