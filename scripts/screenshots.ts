/**
 * @file The README's pictures, from a real run of the built page on the WASM engine:
 * every view, in light or dark. WebP in `docs/images/`.
 *
 *   npx vite build && npx tsx scripts/screenshots.ts
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { chromium } from "playwright-core";
import { applyPreset, RARE_KIND } from "../src/app/presets.ts";
import { DEFAULT_DRAFT } from "../src/app/settings.ts";
import { linkOf } from "../src/app/shareLink.ts";
import { serveStatic } from "../test/support/serveStatic.ts";
import { ISOLATION_HEADERS } from "../vite.config.ts";
import { CHROME_HELP, chromeFlags, findChrome } from "./findChrome.mjs";
import { ROOT } from "./setup.mjs";

const HOUR_MS = 3_600_000;
const QUALITY = 0.82;
const OUT = join(ROOT, "docs", "images");
/** A short race, in which there is something to see. */
const SETTINGS = { ...applyPreset(RARE_KIND, DEFAULT_DRAFT), provider: "wasm" };

const executablePath = findChrome();
if (executablePath === undefined) throw new Error(CHROME_HELP);
const server = await serveStatic(join(ROOT, "dist"), { headers: ISOLATION_HEADERS });
const browser = await chromium.launch({ executablePath, headless: true, args: chromeFlags() });
mkdirSync(OUT, { recursive: true });
try {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 1180 },
    colorScheme: "light",
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  await page.goto(linkOf(SETTINGS, server.url));
  await page.locator("button.primary[aria-disabled=false]").waitFor();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByRole("button", { name: "Start again", exact: true }).waitFor({ timeout: HOUR_MS });
  await save(page, "race-light");

  const open = async (hash: string): Promise<void> => {
    await page.evaluate((to) => void (location.hash = to), hash);
    await page.evaluate(() => scrollTo(0, 0));
  };
  const slider = page.locator(".lane-1 [role=slider]");
  await slider.focus();
  await page.keyboard.press("End");
  await page.locator(".lane-1 .card .heat").nth(1).waitFor();
  await page.locator(".pools").evaluate((element) => element.scrollIntoView());
  await save(page, "seed-light");
  await page.keyboard.press("Escape");

  await open("#/data");
  await page.getByLabel("Lane").selectOption("own-loss");
  await page.getByLabel("Round").selectOption("1");
  await page.locator(".pair-row").nth(5).waitFor();
  await save(page, "data-light");

  await open("#/talk");
  await page.locator(".example").first().click();
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await page.locator(".outcome").nth(2).waitFor();
  await save(page, "talk-light");

  await open("#/studies");
  await page.getByRole("button", { name: "A rare kind" }).click();
  const curves = page.getByRole("heading", { name: "Learning curves" }).first();
  await curves.evaluate((element) => element.scrollIntoView());
  await save(page, "studies-light");

  await page.emulateMedia({ colorScheme: "dark" });
  await open("#/race");
  await page.getByText("Hidden states", { exact: true }).click();
  // The students are asked for them first.
  await page
    .getByText(/^principal components/)
    .nth(1)
    .waitFor();
  await page.locator(".pools").evaluate((element) => element.scrollIntoView());
  await save(page, "states-dark");
  await open("#/race?open=setup");
  await page.locator("dialog[open]").waitFor();
  await save(page, "setup-dark");
  await open("#/lessons/strategies");
  await page.locator("#lesson-title").waitFor();
  await save(page, "lesson-dark");
} finally {
  await browser.close();
  await server[Symbol.asyncDispose]();
}

/** Writes what is on the screen as WebP, which the browser itself encodes: in a blank page, whose policy allows it. */
async function save(page: Page, name: string): Promise<void> {
  const png = await page.screenshot();
  const encoder = await page.context().newPage();
  const webp = await encoder.evaluate(
    async ({ data, quality }) => {
      const bytes = Uint8Array.from(atob(data), (c) => c.codePointAt(0) ?? 0);
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const canvas = new OffscreenCanvas(image.width, image.height);
      canvas.getContext("2d")?.drawImage(image, 0, 0);
      const blob = await canvas.convertToBlob({ type: "image/webp", quality });
      let text = "";
      for (const byte of new Uint8Array(await blob.arrayBuffer())) text += String.fromCodePoint(byte);
      return btoa(text);
    },
    { data: png.toString("base64"), quality: QUALITY },
  );
  await encoder.close();
  const bytes = Buffer.from(webp, "base64");
  writeFileSync(join(OUT, `${name}.webp`), bytes);
  process.stderr.write(`${name}.webp: ${Math.round(bytes.length / 1000)} kB\n`);
}
