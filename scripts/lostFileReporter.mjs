/**
 * @file Names test files that never end, with the test they are in, where vitest names
 * none. A test's own time limit cannot end a worker whose thread is stuck (an endless
 * loop, a native call that never returns), and vitest waits for such a worker for ever:
 * over a limit of its own the file is named with the processes there are, and the run
 * fails. Of a worker whose process died vitest says no more than that there was one.
 */
import { spawnSync } from "node:child_process";

const MINUTE_MS = 60_000;
const LOOK_EVERY_MS = 10_000;
/** The slowest file takes three minutes on two cores, and six beside other work. */
const FILE_LIMIT_MS = 15 * MINUTE_MS;

/** A reporter of vitest, beside those that show results. */
export default class LostFileReporter {
  /** @type {Map<string, { label: string, since: number, test: string | undefined }>} by module id */
  #running = new Map();
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  /** When a file last started or ended. */
  #changed = Date.now();
  #limitMs;

  /** @param {{ limitMs?: number }} [options] */
  constructor(options = {}) {
    this.#limitMs = options.limitMs ?? FILE_LIMIT_MS;
  }

  onTestRunStart() {
    this.#timer = setInterval(() => this.#look(), Math.min(LOOK_EVERY_MS, this.#limitMs));
    this.#timer.unref();
  }

  /** @param {readonly unknown[]} _modules @param {readonly unknown[]} _errors @param {string} reason why the run ended */
  onTestRunEnd(_modules, _errors, reason) {
    clearInterval(this.#timer);
    if (reason === "interrupted") return;
    for (const { label, test } of this.#running.values()) console.error(`DIED ${label}: ${placeOf(test)}`);
  }

  /** @param {Pick<import("vitest/node").TestModule, "id" | "project" | "relativeModuleId">} module */
  onTestModuleQueued(module) {
    const label = `|${module.project.name}| ${module.relativeModuleId}`;
    this.#changed = Date.now();
    this.#running.set(module.id, { label, since: this.#changed, test: undefined });
  }

  /** @param {Pick<import("vitest/node").TestModule, "id">} module */
  onTestModuleEnd(module) {
    this.#changed = Date.now();
    this.#running.delete(module.id);
  }

  /** @param {Pick<import("vitest/node").TestCase, "fullName" | "module">} test */
  onTestCaseReady(test) {
    const module = this.#running.get(test.module.id);
    if (module !== undefined) module.test = test.fullName;
  }

  #look() {
    const now = Date.now();
    const over = [...this.#running.values()].filter(({ since }) => now - since > this.#limitMs);
    const idle = this.#running.size === 0 && now - this.#changed > this.#limitMs;
    if (over.length === 0 && !idle) return;
    clearInterval(this.#timer);
    if (idle) console.error("STALLED between files: no file has started (browser, set-up of a project)");
    for (const { label, since, test } of over) {
      const minutes = ((now - since) / MINUTE_MS).toFixed(1);
      console.error(`STALLED ${label}: ${minutes} min, ${placeOf(test)}`);
    }
    endRun();
  }
}

/** @param {string | undefined} test where a file was last seen */
function placeOf(test) {
  return `in: ${test ?? "no test that it has told of (imports, hooks, or its first test)"}`;
}

/** Shows the processes below this one, kills them and ends this one with status 1. */
function endRun() {
  const processes = descendants(process.pid);
  for (const { pid, about } of processes) console.error(`  ${pid} ${about}`);
  for (const { pid } of processes) tryKill(pid);
  process.exit(1);
}

/**
 * @param {number} root
 * @returns {{ pid: number, about: string }[]} state (R runs, S sleeps), processor time and command of each; none where there is no `ps`
 */
function descendants(root) {
  const { stdout } = spawnSync("ps", ["-eo", "pid=,ppid=,stat=,time=,args="], { encoding: "utf8" });
  const all = (stdout ?? "").split("\n").flatMap((line) => {
    const [, pid, parent, about = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/u.exec(line) ?? [];
    return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), about }];
  });
  const below = all.filter(({ parent }) => parent === root);
  // Grows while it is read: the children of each come after it.
  for (const { pid } of below) below.push(...all.filter(({ parent }) => parent === pid));
  return below;
}

/** @param {number} pid */
function tryKill(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
