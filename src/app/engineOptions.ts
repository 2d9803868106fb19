/** @file On what students are opened beside a race: the settings' engine, the user's token and folder. */
import type { RaceOptions } from "../protocol/loopService.ts";
import type { AppState } from "./appState.ts";
import type { ProviderChoice } from "./choices.ts";
import { PROVIDERS } from "./choices.ts";

/** As a race of the present settings would be opened; "auto" for an engine that is not known. */
export function engineOptions({ draft, hubToken, folder }: AppState): Pick<RaceOptions, "ep" | "hubToken" | "folder"> {
  const ep = Object.hasOwn(PROVIDERS, draft.provider) ? (draft.provider as ProviderChoice) : "auto";
  return { ep, ...(hubToken === "" ? {} : { hubToken }), ...(folder === null ? {} : { folder }) };
}
