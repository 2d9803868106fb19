/** @file What the buttons do, against the real loop service over a small student: run, pause, step, crash, reload, resume. */
import { expect, test } from "vitest";
import { acceptedPairs } from "../../src/app/laneState.ts";
import type { LaneState } from "../../src/app/laneState.ts";
import type { AppState } from "../../src/app/appState.ts";
import { hasRun, initialState, laneLabels, primaryAction } from "../../src/app/appState.ts";
import type { Connection } from "../../src/app/connection.ts";
import { Controller } from "../../src/app/controller.ts";
import { lessMemoryOf } from "../../src/app/lessMemory.ts";
import type { Memory } from "../../src/app/raceActions.ts";
import { findUnfinished } from "../../src/app/raceActions.ts";
import { DEFAULT_DRAFT } from "../../src/app/settings.ts";
import type { SettingsDraft } from "../../src/app/settings.ts";
import { Store } from "../../src/app/store.ts";
import { TutelageError } from "../../src/core/errors.ts";
import type { RunLibrary } from "../../src/loop/runStore.ts";
import { LOOP_SERVICE_METHODS } from "../../src/protocol/loopService.ts";
import type { LoopService } from "../../src/protocol/loopService.ts";
import { MemoryLibrary } from "../../src/storage/memory.ts";
import { eventually } from "../support/eventually.ts";
import { linearRace, type LinearRaceOptions } from "../support/linearRace.ts";

const DRAFT: SettingsDraft = { ...DEFAULT_DRAFT, rounds: "2", querySize: "5", perSeed: "2", pool: "120" };

interface Page {
  readonly controller: Controller;
  readonly state: () => AppState;
  /** The worker dies: its calls reject, its events stop. */
  readonly crash: () => Promise<void>;
  readonly workers: () => number;
  /** The worker gives everything free, as it does when it is ended. */
  readonly stopWorker: () => Promise<void>;
  /** Files that the user was given, as text. */
  readonly saved: readonly string[];
}

/** A page on `library`; its worker's service is changed by `tamper`. */
function openPage(
  library: RunLibrary,
  {
    draft = DRAFT,
    memory = memoryOf(),
    onWork,
    tamper = (service) => service,
  }: {
    readonly draft?: SettingsDraft;
    readonly memory?: Memory;
    readonly onWork?: LinearRaceOptions["onWork"];
    readonly tamper?: (service: LoopService) => LoopService;
  } = {},
): Page {
  const store = new Store<AppState>(initialState(draft, true), (draw) => queueMicrotask(draw));
  let workers = 0;
  const saved: string[] = [];
  let crash = async (): Promise<void> => undefined;
  let stopWorker = crash;
  const controller = new Controller(
    store,
    (onCrash): Connection => {
      workers++;
      const service = linearRace(library, onWork === undefined ? {} : { onWork });
      let alive = true;
      const subscribe = service.subscribe.bind(service);
      service.subscribe = (listener) => subscribe((batch) => (alive ? listener(batch) : undefined));
      stopWorker = () => service.stop();
      crash = async () => {
        alive = false;
        await service.stop();
        onCrash(new TutelageError("worker-crashed", "loop worker: crashed"));
      };
      return { service: tamper(service), close: () => (alive = false) };
    },
    memory,
    (name, bytes) => saved.push(`${name}: ${new TextDecoder().decode(bytes)}`),
  );
  const state = (): AppState => store.state;
  return { saved, controller, state, crash: () => crash(), stopWorker: () => stopWorker(), workers: () => workers };
}

function memoryOf(): Memory & { putAway: string | null } {
  return {
    putAway: null,
    read() {
      return this.putAway;
    },
    write(raceId) {
      this.putAway = raceId;
    },
  };
}

const until = (page: Page, holds: (state: AppState) => boolean): Promise<void> =>
  eventually(() => expect(holds(page.state())).toBe(true));
const settled = (state: AppState): boolean => state.pending === null;

/** What of a finished lane does not depend on the clock. */
function measured({ rounds, pool, examples, picks, done }: LaneState): unknown {
  const summaries = rounds.map(
    ({ durationMs: _durationMs, teacher: { durationMs: _teacherMs, ...teacher }, ...round }) => ({
      ...round,
      teacher,
    }),
  );
  return {
    summaries,
    pool,
    done,
    picks: [...picks],
    examples: examples.map(({ usage: _usage, ...example }) => example),
  };
}

async function finishedRun(draft = DRAFT): Promise<readonly unknown[]> {
  const page = openPage(new MemoryLibrary(), { draft });
  await page.controller.open();
  page.controller.race.start();
  await until(page, ({ raceState }) => raceState === "done");
  return page.state().lanes.map(measured);
}

test("a student is handed out as one file; what fails is told", async () => {
  const tamper = (service: LoopService): LoopService => ({
    ...bound(service),
    packStudent: async (lane, format) => {
      if (format === "onnx") return new TextEncoder().encode(`lane ${lane}`);
      throw new Error("no room");
    },
  });
  const page = openPage(new MemoryLibrary(), { tamper });
  await page.controller.open();
  page.controller.race.saveStudent(1, "onnx");
  await eventually(() => expect(page.saved).toEqual(["student-b-onnx.zip: lane 1"]));
  page.controller.race.saveStudent(0, "safetensors");
  await until(page, ({ problem }) => problem?.message === "no room");
});

test("Start runs both lanes to the end", async () => {
  const page = openPage(new MemoryLibrary());
  await page.controller.open();
  expect(primaryAction(page.state())).toEqual({ action: "start", label: "Start" });
  page.controller.race.start();
  expect(primaryAction(page.state())).toEqual({ action: undefined, label: "Starting…" });
  await until(page, ({ raceState }) => raceState === "done");
  const { lanes, problem, race } = page.state();
  expect(problem).toBeNull();
  expect(race?.lanes).toHaveLength(2);
  expect(laneLabels(page.state())).toEqual(["random", "own-loss"]);
  for (const lane of lanes) {
    expect(lane.done).toBe(true);
    expect(lane.rounds.map(({ round }) => round)).toEqual([0, 1, 2]);
    expect(lane.pool).toHaveLength(120);
    expect(acceptedPairs(lane)).toBe(lane.rounds.at(-1)?.examples);
  }
  expect(primaryAction(page.state()).action).toBe("start");
});

test("Start again begins from an empty page", async () => {
  const page = openPage(new MemoryLibrary());
  await page.controller.open();
  page.controller.race.start();
  await until(page, ({ raceState }) => raceState === "done");
  const first = page.state().race?.raceId;
  page.controller.setUp.changeSetting("seed", "5");
  page.controller.race.start();
  expect(page.state().lanes.every(({ rounds }) => rounds.length === 0)).toBe(true);
  await until(page, ({ raceState, race }) => raceState === "done" && race?.raceId !== first);
  expect(page.state().lanes[0]?.run?.config.seed).toBe(5);
});

test("Step takes each lane through one phase", async () => {
  const page = openPage(new MemoryLibrary());
  await page.controller.open();
  const lanesAt = ({ lanes }: AppState): string[] =>
    lanes.map(({ round, phase }) => `${round} ${phase?.phase} ${phase?.state}`);
  const seen = new Set<string>();
  for (let i = 0; i < 9; i++) {
    const before = page.state().lanes;
    page.controller.race.step();
    await until(
      page,
      (state) => state.raceState === "paused" && settled(state) && state.lanes.every((lane, j) => lane !== before[j]),
    );
    const places = lanesAt(page.state());
    expect(places[1]).toBe(places[0]);
    seen.add(places[0] ?? "");
  }
  const phases = ["0 evaluate", "1 score", "1 select", "1 teach", "1 verify", "1 train", "1 evaluate"];
  expect([...seen].slice(0, phases.length)).toEqual(phases.map((phase) => `${phase} end`));
});

test("Pause stops the numbers, Resume goes on to the same end", async () => {
  const whole = await finishedRun();
  const page = openPage(new MemoryLibrary(), { onWork: () => new Promise((resolve) => setTimeout(resolve, 1)) });
  await page.controller.open();
  page.controller.race.start();
  await until(page, ({ lanes }) => lanes.every(({ rounds }) => rounds.length >= 2));
  page.controller.race.pause();
  await until(page, (state) => state.raceState === "paused" && settled(state));
  const before = page.state().lanes;
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(page.state().lanes).toBe(before);
  expect(primaryAction(page.state())).toEqual({ action: "resume", label: "Resume" });
  page.controller.race.resume();
  await until(page, ({ raceState }) => raceState === "done");
  expect(page.state().lanes.map(measured)).toEqual(whole);
});

test("a crash is shown, Restart goes on from storage, and the end is that of an undisturbed run", async () => {
  const whole = await finishedRun();
  const library = new MemoryLibrary();
  const page = openPage(library, { onWork: () => new Promise((resolve) => setTimeout(resolve, 1)) });
  await page.controller.open();
  page.controller.race.start();
  await until(page, ({ lanes }) => lanes.every(({ rounds }) => rounds.length >= 2));
  await page.crash();
  const { crash, problem } = page.state();
  expect(crash).toMatchObject({ message: "loop worker: crashed", remedy: "restart" });
  expect(crash?.advice).toContain("Restart");
  expect(problem).toBeNull();
  expect(primaryAction(page.state()).action).toBeUndefined();
  page.controller.race.restart();
  await until(page, ({ raceState }) => raceState === "done");
  expect(page.state().crash).toBeNull();
  expect(page.workers()).toBe(2);
  expect(page.state().lanes.map(measured)).toEqual(whole);
});

test("a call that hangs in a crashed worker does not block the page", async () => {
  const page = openPage(new MemoryLibrary(), {
    tamper: (service) => ({ ...bound(service), createRace: () => new Promise(() => undefined) }),
  });
  await page.controller.open();
  page.controller.race.start();
  await page.crash();
  expect(page.state()).toMatchObject({ pending: null, crash: { remedy: "restart" } });
  page.controller.race.restart();
  await until(page, (state) => settled(state) && state.crash === null);
  expect(primaryAction(page.state())).toEqual({ action: "start", label: "Start" });
});

test("a reload shows the unfinished run and Resume finishes it as if nothing had happened", async () => {
  const whole = await finishedRun();
  const library = new MemoryLibrary();
  const first = openPage(library, { onWork: () => new Promise((resolve) => setTimeout(resolve, 1)) });
  await first.controller.open();
  first.controller.race.start();
  await until(first, ({ lanes }) => lanes.every(({ rounds }) => rounds.length >= 2));
  await first.crash();

  const second = openPage(library);
  await second.controller.open();
  const { stored, lanes } = second.state();
  expect(stored).toMatchObject({ rounds: 2, lastRound: 1 });
  expect(lanes.every(({ rounds }) => rounds.length >= 2)).toBe(true);
  expect(primaryAction(second.state())).toEqual({ action: "resume", label: "Resume" });
  second.controller.race.resume();
  await until(second, ({ raceState }) => raceState === "done");
  expect(second.state().stored).toBeNull();
  expect(second.state().lanes.map(measured)).toEqual(whole);

  const third = openPage(library);
  await third.controller.open();
  expect(third.state().stored).toBeNull();
  expect(hasRun(third.state())).toBe(false);
});

test("New run puts an unfinished run away: it stays stored, and is not offered again", async () => {
  const library = new MemoryLibrary();
  const memory = memoryOf();
  const page = openPage(library, { memory });
  await page.controller.open();
  page.controller.race.step();
  await until(page, (state) => state.raceState === "paused" && settled(state));
  page.controller.race.newRun();
  await until(page, (state) => settled(state) && !hasRun(state));
  expect(await library.list()).toHaveLength(2);
  const reloaded = openPage(library, { memory });
  await reloaded.controller.open();
  expect(reloaded.state().stored).toBeNull();
  expect(findUnfinished(await library.list(), null)).toBeDefined();
});

test("Discard deletes the stored run", async () => {
  const library = new MemoryLibrary();
  const first = openPage(library);
  await first.controller.open();
  first.controller.race.step();
  await until(first, (state) => state.raceState === "paused" && settled(state));
  await first.crash();
  const second = openPage(library);
  await second.controller.open();
  second.controller.race.discardStored();
  await until(second, settled);
  expect(await library.list()).toEqual([]);
  expect(hasRun(second.state())).toBe(false);
});

test("invalid settings start nothing", async () => {
  const library = new MemoryLibrary();
  const page = openPage(library, { draft: { ...DRAFT, rounds: "none" } });
  await page.controller.open();
  page.controller.race.start();
  await until(page, settled);
  page.controller.race.step();
  await until(page, settled);
  expect(await library.list()).toEqual([]);
  expect(page.state().race).toBeNull();
});

test("an engine that is refused is told with what to do, and the page can try again", async () => {
  let refuse = true;
  const page = openPage(new MemoryLibrary(), {
    tamper: (service) => ({
      ...bound(service),
      createRace: (request) =>
        refuse
          ? Promise.reject(new TutelageError("device-refused", "webgpu: the self-test disagrees"))
          : service.createRace(request),
    }),
  });
  await page.controller.open();
  page.controller.race.start();
  await until(page, settled);
  expect(page.state().problem).toMatchObject({ message: "webgpu: the self-test disagrees", remedy: "dismiss" });
  expect(page.state().problem?.advice).toContain("WASM");
  refuse = false;
  page.controller.race.start();
  await until(page, ({ raceState }) => raceState === "done");
  expect(page.state().problem).toBeNull();
});

test("one lane's failure is shown in that lane; the other goes on", async () => {
  const page = openPage(new MemoryLibrary(), {
    tamper: (service) => ({
      ...bound(service),
      subscribe: (listener) =>
        service.subscribe((batch) =>
          listener([
            ...batch,
            {
              type: "lane-failed",
              lane: 1,
              error: { name: "TutelageError", code: "non-finite", message: "train: loss is NaN" },
            },
          ]),
        ),
    }),
  });
  await page.controller.open();
  page.controller.race.start();
  await until(page, ({ raceState }) => raceState === "done");
  expect(page.state().laneProblems).toMatchObject([null, { message: "train: loss is NaN" }]);
  expect(page.state().lanes[0]?.done).toBe(true);
});

test("lanes that ran out of memory in training go on in less, to the same end; a reload offers it too", async () => {
  const whole = await finishedRun();
  const library = new MemoryLibrary();
  let room = true;
  let second = 0;
  const page = openPage(library, {
    onWork: (what) => {
      if (what === "train" && !room) throw new TutelageError("out-of-memory", "training: not enough memory");
      // The training of the second round finds none; scores and answers do.
      if (what === "train" && ++second > 1) room = false;
    },
  });
  await page.controller.open();
  page.controller.race.start();
  await until(page, ({ raceState }) => raceState === "done");
  const failed = page.state();
  expect(failed.laneProblems.map((problem) => problem?.remedy)).toContain("less-memory");
  const lanes = failed.laneProblems.flatMap((problem, index) => (problem === null ? [] : [index]));
  for (const lane of lanes)
    expect(lessMemoryOf(failed.lanes[lane]!)?.change).toBe(
      "training in batches of 8 × 2 accumulated instead of 16 × 1, gradient checkpointing, which takes about a third more time",
    );
  await page.stopWorker();
  room = true;
  second = -Infinity;
  page.controller.race.resumeInLess();
  await until(page, ({ raceState, pending }) => raceState === "done" && pending === null);
  expect(page.state().laneProblems.filter((problem) => problem !== null)).toEqual([]);
  expect(page.workers()).toBe(2);
  expect(page.state().lanes.map(measured)).toEqual(whole);
  for (const lane of lanes)
    expect(page.state().lanes[lane]?.memoryChanges).toMatchObject([{ to: { batchSize: 8, gradAccum: 2 } }]);
  const kept = await library.list();
  const { memoryChanges } = (await library.read(
    kept.find(({ manifest }) => manifest.race?.lane === lanes[0])!.manifest.runId,
  ))!;
  expect(memoryChanges).toEqual(page.state().lanes[lanes[0]!]?.memoryChanges);
});

test("a run whose tab died goes on in less after a reload", async () => {
  const whole = await finishedRun();
  const library = new MemoryLibrary();
  const first = openPage(library, { onWork: () => new Promise((resolve) => setTimeout(resolve, 1)) });
  await first.controller.open();
  first.controller.race.start();
  await until(first, ({ lanes }) => lanes.every(({ rounds }) => rounds.length >= 2));
  await first.crash();
  const second = openPage(library);
  await second.controller.open();
  // Nothing says what ran out of it: all batches become smaller.
  expect(lessMemoryOf(second.state().lanes[0]!)?.change).toMatch(/batches of 8 × 2 .*scores and answers for 16 rows/);
  second.controller.race.resumeInLess();
  await until(second, ({ raceState }) => raceState === "done");
  expect(second.state().lanes.map(measured)).toEqual(whole);
  expect(second.state().lanes.map(({ memoryChanges }) => memoryChanges.length)).toEqual([1, 1]);
});

test("a worker that cannot start leaves a page that says so", async () => {
  const store = new Store<AppState>(initialState(DRAFT, false), (draw) => queueMicrotask(draw));
  const controller = new Controller(
    store,
    () => {
      throw new Error("no workers here");
    },
    memoryOf(),
  );
  await controller.open();
  expect(store.state).toMatchObject({ pending: null, problem: { message: "no workers here", remedy: "restart" } });
  controller.race.start();
  await eventually(() => expect(store.state.problem?.message).toBe("The worker is not running."));
});

/** The service's methods as own properties, so that some can be replaced. */
function bound(service: LoopService): LoopService {
  const method = (name: keyof LoopService): unknown => (service[name] as (...args: unknown[]) => unknown).bind(service);
  return Object.fromEntries(LOOP_SERVICE_METHODS.map((name) => [name, method(name)])) as unknown as LoopService;
}

test("the teacher's key goes to the worker with test, start and resume, is nowhere else, and is dropped with the address", async () => {
  const KEY = "sk-planted-key-123456";
  const library = new MemoryLibrary();
  const asked: (string | undefined)[] = [];
  const tamper = (service: LoopService): LoopService => ({
    ...bound(service),
    createRace: (request) => {
      asked.push(request.teacherKey);
      return service.createRace(request);
    },
    testTeacher: (request) => {
      asked.push(request.teacherKey);
      return service.testTeacher(request);
    },
  });
  const page = openPage(library, { tamper });
  await page.controller.open();
  page.controller.setUp.setTeacherKey(KEY);
  page.controller.setUp.testTeacher();
  await eventually(() => expect(page.state().teacherChecks).not.toBeNull());
  expect(page.state().teacherChecks?.map(({ call, ok }) => [call, ok])).toEqual([
    ["propose", true],
    ["answer", true],
    ["judge", true],
  ]);
  page.controller.race.start();
  await eventually(() => expect(page.state().raceState).toBe("done"));
  expect(asked).toEqual([KEY, KEY]);
  const { teacherKey, ...rest } = page.state();
  expect(teacherKey).toBe(KEY);
  const stored = await Promise.all((await library.list()).map(({ manifest }) => library.read(manifest.runId)));
  expect(JSON.stringify([rest, stored])).not.toContain(KEY);

  page.controller.setUp.changeSetting("teacherUrl", "https://elsewhere.example/v1");
  expect(page.state()).toMatchObject({ teacherKey: "", teacherChecks: null });
});
