/**
 * @file Teachers' keys that a visitor chose to keep in this browser, each for one service
 * at one address. Without that choice a key is in the page's memory alone. Kept apart from
 * settings and runs, so that no export, link or archive can hold one.
 */
import { OWN_ADDRESS } from "./origins.ts";
import type { SettingsDraft } from "./settings.ts";

/** Where keys are kept; `localStorage` in a tab. */
export type KeyStorage = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** Keys by the service they were typed for. A browser that stores nothing keeps none. */
export interface KeptKeys {
  /** Empty when none is kept. */
  read(draft: SettingsDraft): string;
  /** Keeps `key`, or forgets what was kept when it is empty. */
  write(draft: SettingsDraft, key: string): void;
}

/** Keeps nothing. */
export const NO_KEPT_KEYS: KeptKeys = { read: () => "", write: () => undefined };

/** Keeps keys in `storage`, which may throw at every use. */
export function keptKeys(storage: () => KeyStorage): KeptKeys {
  return {
    read(draft) {
      try {
        return storage().getItem(nameOf(draft)) ?? "";
      } catch {
        return "";
      }
    },
    write(draft, key) {
      try {
        if (key === "") storage().removeItem(nameOf(draft));
        else storage().setItem(nameOf(draft), key);
      } catch {
        // Storage is switched off: the key is typed again the next time.
      }
    },
  };
}

/** A key is sent where it was typed for, and to no other provider or address. */
function nameOf({ teacher, teacherUrl }: SettingsDraft): string {
  return `tutelage-key ${teacher} ${teacherUrl.trim() || (OWN_ADDRESS[teacher] ?? "")}`;
}
