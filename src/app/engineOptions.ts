/** @file On what students are opened: the settings' engine, the user's token and folders. */
import type { StudentOptions } from "../protocol/loopService.ts";
import type { AppState } from "./appState.ts";
import type { ProviderChoice } from "./choices.ts";
import { PROVIDERS } from "./choices.ts";

/** As a race of the present settings would be opened; "auto" for an engine that is not known. */
export function engineOptions({ draft, ...chosen }: AppState): StudentOptions {
  const ep = Object.hasOwn(PROVIDERS, draft.provider) ? (draft.provider as ProviderChoice) : "auto";
  return { ep, ...chosenOptions(chosen) };
}

/** What the user chose that is no setting: neither stored nor in the address. */
export function chosenOptions({
  hubToken,
  folder,
  adapterFolder,
}: Pick<AppState, "hubToken" | "folder" | "adapterFolder">): Omit<StudentOptions, "ep"> {
  return {
    ...(hubToken === "" ? {} : { hubToken }),
    ...(folder === null ? {} : { folder }),
    ...(adapterFolder === null ? {} : { adapterFolder }),
  };
}
