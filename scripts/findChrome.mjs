/**
 * @file Finds the Chrome, Chromium or Edge that browser tests drive, and the flags
 * under which it offers WebGPU without a GPU. Nothing is downloaded here: where no
 * browser is found, Debian's package is installed (as root) or the user is told what to do.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = [
  "chromium",
  "chromium-browser",
  "google-chrome",
  "google-chrome-stable",
  "chrome",
  "microsoft-edge",
  "microsoft-edge-stable",
  "msedge",
];

/**
 * Path of the browser: `CHROME_PATH`, else the first on `PATH`, else the usual places.
 * @param {NodeJS.ProcessEnv} [env]
 * @param {NodeJS.Platform} [platform]
 * @returns {string | undefined}
 */
export function findChrome(env = process.env, platform = process.platform) {
  const named = env.CHROME_PATH;
  if (named !== undefined && named !== "") return isProgram(named) ? named : undefined;
  const suffix = platform === "win32" ? ".exe" : "";
  for (const folder of (env.PATH ?? env.Path ?? "").split(delimiter)) {
    if (folder === "") continue;
    for (const name of NAMES) {
      const path = join(folder, name + suffix);
      if (isProgram(path)) return path;
    }
  }
  return usualPlaces(env, platform).find(isProgram);
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {NodeJS.Platform} platform
 * @returns {string[]}
 */
function usualPlaces(env, platform) {
  if (platform === "darwin") {
    const bundles = ["Google Chrome", "Chromium", "Microsoft Edge", "Google Chrome Canary"];
    return [join(env.HOME ?? "/", "Applications"), "/Applications"].flatMap((folder) =>
      bundles.map((name) => join(folder, `${name}.app`, "Contents", "MacOS", name)),
    );
  }
  if (platform === "win32") {
    const programs = [
      "Google\\Chrome\\Application\\chrome.exe",
      "Chromium\\Application\\chrome.exe",
      "Microsoft\\Edge\\Application\\msedge.exe",
    ];
    const folders = [env.PROGRAMFILES, env["PROGRAMFILES(X86)"], env.LOCALAPPDATA].filter(
      (folder) => folder !== undefined,
    );
    return folders.flatMap((folder) => programs.map((program) => join(folder, program)));
  }
  return [
    "/usr/bin/chromium",
    "/usr/lib/chromium/chromium",
    "/usr/bin/chromium-browser",
    "/snap/bin/chromium",
    "/opt/google/chrome/chrome",
    "/opt/microsoft/msedge/msedge",
    "/var/lib/flatpak/exports/bin/org.chromium.Chromium",
    "/var/lib/flatpak/exports/bin/com.google.Chrome",
  ];
}

/** @param {string} path */
function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * The browser's path; installs Debian's `chromium` when there is none, this is root
 * and `apt-get` exists.
 * @param {(message: string) => void} note
 * @returns {string | undefined} `undefined`: tell the user `CHROME_HELP`
 */
export function findOrInstallChrome(note) {
  const found = findChrome();
  if (found !== undefined || process.env.CHROME_PATH) return found;
  const root = process.getuid?.() === 0;
  if (process.platform !== "linux" || !root || !existsSync("/usr/bin/apt-get")) return undefined;
  note("no Chrome, Chromium or Edge found: apt-get install chromium");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  /** @type {import("node:child_process").SpawnSyncOptions} */
  const options = { stdio: ["ignore", 2, 2], env };
  spawnSync("apt-get", ["update"], options);
  spawnSync("apt-get", ["install", "-y", "chromium"], options);
  return findChrome();
}

/** What to do where no browser was found. */
export const CHROME_HELP = `browser tests need Chrome, Chromium or Edge, and ${
  process.env.CHROME_PATH
    ? `CHROME_PATH (${process.env.CHROME_PATH}) is not a program that can be run`
    : "none was found"
}. Install one:
  Debian, Ubuntu   sudo apt-get install chromium
  Fedora           sudo dnf install chromium
  Arch             sudo pacman -S chromium
  macOS            brew install --cask google-chrome
  Windows          winget install Google.Chrome
or set CHROME_PATH to its executable, and run the tests again`;

/**
 * Flags of a headless browser that offers WebGPU: the machine's GPU where it has a
 * driver, SwiftShader's software adapter elsewhere. `TUTELAGE_GPU=hardware|software` decides by hand.
 * @returns {string[]}
 */
export function chromeFlags() {
  const software = !hasHardwareGpu();
  return [
    "--no-sandbox",
    "--enable-unsafe-webgpu",
    ...(software ? ["--use-webgpu-adapter=swiftshader"] : []),
    ...(process.platform === "linux" ? ["--enable-features=Vulkan"] : []),
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
  ];
}

/** Whether this machine has a GPU with a driver, as far as files tell. */
export function hasHardwareGpu() {
  if (process.env.TUTELAGE_GPU === "hardware") return true;
  if (process.env.TUTELAGE_GPU === "software") return false;
  if (process.platform !== "linux") return true;
  return existsSync("/dev/nvidia0") || existsSync("/dev/dri/renderD128");
}

const CHROMIUM_LIBRARIES = "/usr/lib/chromium";

/**
 * Points Dawn in Node at the software Vulkan driver of Debian's Chromium where there is
 * no GPU, and at Chromium's Vulkan loader where the system has none. Set variables are
 * kept. The loader is found only by processes that start afterwards with this environment.
 * @param {NodeJS.ProcessEnv} [env] changed in place
 */
export function useSoftwareVulkan(env = process.env) {
  const driver = join(CHROMIUM_LIBRARIES, "vk_swiftshader_icd.json");
  if (process.platform !== "linux" || hasHardwareGpu() || !existsSync(driver)) return;
  env.VK_DRIVER_FILES ??= driver;
  env.XDG_RUNTIME_DIR ??= "/tmp";
  const multiarch = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  const loaders = [`/usr/lib/${multiarch}`, "/usr/lib64", "/usr/lib"].map((folder) => join(folder, "libvulkan.so.1"));
  if (!loaders.some((path) => existsSync(path))) {
    env.LD_LIBRARY_PATH = [CHROMIUM_LIBRARIES, env.LD_LIBRARY_PATH].filter(Boolean).join(":");
  }
}
