/** @file Drawers of the built page, opened and closed by its address as a link would. */
import type { Page } from "playwright-core";

const OPEN_MS = 60_000;

/** Opens a drawer over the race; resolves when it is there. */
export async function openDrawer(page: Page, drawer: "setup" | "engine"): Promise<void> {
  await page.evaluate((name) => void (location.hash = `#/race?open=${name}`), drawer);
  await page.locator("dialog[open]").waitFor({ timeout: OPEN_MS });
}

/** Closes the open drawer; resolves when it is gone. */
export async function closeDrawer(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await page.waitForFunction(() => document.querySelector("dialog") === null, undefined, { timeout: OPEN_MS });
}

/** Words of the engine panel on one line; no drawer is open before or after. */
export async function engineText(page: Page): Promise<string> {
  await openDrawer(page, "engine");
  const text = await page.locator(".engine").innerText();
  await closeDrawer(page);
  return text.replace(/\s+/g, " ");
}
