/**
 * @file What every entry point does before anything else: checks the version of Node,
 * and installs the dependencies when they are missing or no longer those of
 * `package-lock.json`. Plain Node, no dependency. It never writes to stdout, which
 * belongs to the program that follows.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Folder of `package.json`. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Oldest Node that vite, vitest and the command line run on; the same figure as `engines` in package.json. */
const OLDEST_NODE = [20, 19];

/**
 * Why this Node cannot be used, or `undefined`.
 * @param {string} version as `process.versions.node`
 * @returns {string | undefined}
 */
export function nodeProblem(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `Node: expected ${OLDEST_NODE.join(".")} or newer, got ${version}. Install a current release from https://nodejs.org`;
}

/**
 * Why `node_modules` must be installed (again), or `undefined` when it holds what
 * `package-lock.json` asks for. Versions are compared, not file times: a fresh
 * checkout of the same lock file is not stale. Optional packages (those of other
 * platforms) may be absent.
 * @param {string} root
 * @returns {string | undefined}
 */
export function staleReason(root) {
  const wanted = readJson(join(root, "package-lock.json"));
  const manifest = readJson(join(root, "package.json"));
  const installed = readJson(join(root, "node_modules", ".package-lock.json"));
  if (installed === undefined) return "node_modules is missing";
  if (wanted === undefined) return "package-lock.json is missing";
  const locked = wanted.packages?.[""] ?? {};
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies"]) {
    if (JSON.stringify(sorted(manifest?.[kind])) !== JSON.stringify(sorted(locked[kind]))) {
      return `package-lock.json is older than package.json (${kind} differ)`;
    }
  }
  for (const [path, entry] of Object.entries(wanted.packages ?? {})) {
    if (path === "" || entry.link) continue;
    const found = installed.packages?.[path];
    if (found === undefined && entry.optional) continue;
    if (found === undefined || !existsSync(join(root, path))) return `${path} is missing`;
    if (found.version !== entry.version) return `${path} is ${found.version}, expected ${entry.version}`;
  }
  return undefined;
}

/**
 * Makes the checkout runnable; ends the process with status 2 and a message when it cannot.
 * A package installed from the registry (no lock file in it) is left alone.
 * @param {string} [root]
 */
export function setUp(root = ROOT) {
  const problem = nodeProblem(process.versions.node);
  if (problem !== undefined) stop(problem);
  if (!existsSync(join(root, "package-lock.json"))) return;
  const reason = staleReason(root);
  if (reason === undefined) return;
  note(`installing dependencies: ${reason}`);
  if (npm(["ci"], root) !== 0) {
    note("npm ci failed; trying npm install");
    if (npm(["install"], root) !== 0) {
      stop(
        `dependencies could not be installed (see npm's messages above). Run "npm ci" in ${root} with a network connection and start again`,
      );
    }
  }
}

/**
 * Runs npm with its output on stderr.
 * @param {string[]} args
 * @param {string} cwd
 * @returns {number} exit status
 */
function npm(args, cwd) {
  const own = process.env.npm_execpath;
  /** @type {import("node:child_process").SpawnSyncOptions} */
  const options = { cwd, stdio: ["ignore", 2, 2] };
  const result =
    own !== undefined && /npm-cli\.[cm]?js$/.test(own)
      ? spawnSync(process.execPath, [own, ...args], options)
      : spawnSync("npm", args, { ...options, shell: process.platform === "win32" });
  if (result.error) note(`npm: ${result.error.message}`);
  return result.status ?? 1;
}

/**
 * @param {string} path
 * @returns {Record<string, any> | undefined}
 */
function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** @param {Record<string, string> | undefined} entries */
function sorted(entries) {
  return Object.entries(entries ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

/**
 * One line on stderr.
 * @param {string} message
 */
export function note(message) {
  process.stderr.write(`tutelage: ${message}\n`);
}

/**
 * Ends the process with status 2 (usage or environment) and a message.
 * @param {string} message
 * @returns {never}
 */
export function stop(message) {
  note(message);
  process.exit(2);
}
