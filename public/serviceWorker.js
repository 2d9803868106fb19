/**
 * @file Service worker of the built page. It answers the page's own requests with the two
 * headers that make the page cross-origin isolated, for hosts that cannot set them, and
 * keeps the built files so that the page works offline: what the first screen needs when
 * it is installed, the rest when the page asks for it, the engine when it is first used or
 * when the user asks for it.
 * Requests to other origins are left alone. `vite.config.ts` writes the list of files into
 * the built copy; in development there is none, and nothing is kept.
 */
/** @type {{ version: string, first: string[], rest: string[], engine: string[], used: string[] }} */
const BUILD = self.BUILT_FILES ?? { version: "", first: [], rest: [], engine: [], used: [] };
const CACHE = `tutelage-page-${BUILD.version}`;
const LISTED = new Set([...BUILD.first, ...BUILD.rest, ...BUILD.engine, ...BUILD.used]);

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", (event) => event.waitUntil(obey(event)));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (new URL(request.url).origin !== self.location.origin) return;
  // Such a request may not be fetched from here (a developer tools' leftover of Chrome).
  if (request.cache === "only-if-cached" && request.mode !== "same-origin") return;
  event.respondWith(answer(request));
});

/** The first version takes over at once; a later one waits until the user reloads, so that a page never mixes two builds. */
async function install() {
  await takeOver();
  await keep(BUILD.first);
  if (self.registration.active === null) await self.skipWaiting();
}

/** What earlier builds kept under the same name: names of assets carry the hash of their content. */
async function takeOver() {
  const cache = await caches.open(CACHE);
  for (const name of await oldCaches()) {
    const old = await caches.open(name);
    for (const request of await old.keys()) {
      const file = fileOf(request.url);
      if (!LISTED.has(file) || !file.startsWith("assets/")) continue;
      const response = await old.match(request);
      if (response !== undefined) await cache.put(request, response);
    }
  }
}

async function activate() {
  for (const name of await oldCaches()) await caches.delete(name);
  await self.clients.claim();
}

async function oldCaches() {
  return (await caches.keys()).filter((name) => name.startsWith("tutelage-page-") && name !== CACHE);
}

/** `update`: the user wants the version that waits. `rest`, `engine`, `webgpu`: keep those files, and say whether all are there. */
async function obey({ data, ports: [port] }) {
  if (data === "update") return self.skipWaiting();
  const asked = { rest: BUILD.rest, engine: BUILD.engine, webgpu: BUILD.used.filter(isOfWebGpu) }[data];
  if (asked === undefined) return;
  try {
    await keep(asked);
    port?.postMessage(true);
  } catch (error) {
    port?.postMessage(false);
    throw error;
  }
}

/** The engine's build for WebGPU in this browser: there are two, by how WebAssembly waits (`src/runtime/browser/platform.ts`). */
function isOfWebGpu(file) {
  const waits = "Suspending" in WebAssembly ? ".jspi-" : ".asyncify-";
  return file.includes("ort-wasm") && file.includes(waits);
}

/** Fetches what is not kept yet; fails where one of the files cannot be had. */
async function keep(files) {
  const cache = await caches.open(CACHE);
  for (const file of files) {
    const address = addressOf(file);
    if ((await cache.match(address)) !== undefined) continue;
    // Names of assets carry their hash; the browser's own copy of another file may be an older build's.
    await cache.add(new Request(address, { cache: file.startsWith("assets/") ? "default" : "no-cache" }));
  }
}

async function answer(request) {
  const file = request.method === "GET" ? fileOf(request.url) : undefined;
  if (!LISTED.has(file)) return isolated(await fetch(request));
  const cache = await caches.open(CACHE);
  const kept = await cache.match(addressOf(file));
  if (kept !== undefined) return isolated(kept);
  const response = await fetch(request);
  // A full disk costs the copy, not the page.
  if (response.status === 200) void cache.put(addressOf(file), response.clone()).catch(() => undefined);
  return isolated(response);
}

function isolated(response) {
  // A redirect that the browser follows itself, or an error: nothing to add to.
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/** Path below the page's folder, without query; the page itself is `index.html`. */
function fileOf(url) {
  const scope = new URL(self.registration.scope).pathname;
  const { pathname } = new URL(url);
  if (!pathname.startsWith(scope)) return undefined;
  return decodeURIComponent(pathname.slice(scope.length)) || "index.html";
}

function addressOf(file) {
  return new URL(file === "index.html" ? "" : file, self.registration.scope).href;
}
