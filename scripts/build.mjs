/**
 * @file `npm run build`: the page into `dist/` (static files for any host) and the
 * command line into `dist/cli/` (Node; dependencies stay imports). `--page` or `--cli`
 * builds one of them.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT, setUp } from "./setup.mjs";

/** Builds the page into `dist/`, which is emptied first. */
export async function buildPage() {
  const { build } = await import("vite");
  await build({ root: ROOT, configFile: join(ROOT, "vite.config.ts"), logLevel: "warn" });
}

/** Builds the command line into `dist/cli/`, which is emptied first. */
export async function buildCli() {
  const { build } = await import("vite");
  const outDir = join(ROOT, "dist", "cli");
  rmSync(outDir, { recursive: true, force: true });
  await build({
    root: ROOT,
    configFile: false,
    publicDir: false,
    logLevel: "warn",
    build: {
      ssr: join(ROOT, "src", "cli", "main.ts"),
      outDir,
      emptyOutDir: false,
      target: "node20",
      minify: false,
      sourcemap: true,
      rolldownOptions: {
        checks: { pluginTimings: false },
        output: { entryFileNames: "main.js", chunkFileNames: "chunks/[name]-[hash].js" },
      },
    },
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  setUp();
  const only = process.argv[2];
  if (only !== "--cli") await buildPage();
  if (only !== "--page") await buildCli();
}
