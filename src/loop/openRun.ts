/**
 * @file Opens a run: checks that config, task, student and store fit together,
 * derives the splits, and for a resumed run brings the student to where it stood.
 */
import { badInput } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import { createStrategy } from "../selection/registry.ts";
import { NO_USAGE } from "../teacher/usage.ts";
import { promptsFor, promptsHash } from "../teacher/prompts/registry.ts";
import { budgetedTeacher, keepsCeilings } from "./budgetedTeacher.ts";
import { checkCeilings } from "./checkCeilings.ts";
import { checkRowsFit, fittingSplits } from "./checkRows.ts";
import type { ExperimentConfig } from "./config.ts";
import type { ClosedLoopDeps } from "./closedLoop.ts";
import { firstDifference } from "./firstDifference.ts";
import { parseExperimentConfig } from "./parseConfig.ts";
import { Interventions } from "./interventions.ts";
import { memoryChangeOf, memoryOf } from "./memoryChange.ts";
import { splitsOf } from "./splitsOf.ts";
import type { RunState } from "./runState.ts";
import { studentName } from "./studentName.ts";
import { RUN_SCHEMA_VERSION } from "./runStore.ts";
import type { Checkpoint, RunManifest, StoredRun } from "./runStore.ts";
import { VERSION } from "./version.ts";

/** Teacher items in flight at once where nobody says. */
const DEFAULT_CONCURRENCY = 4;

/** The state a loop starts from. Writes the manifest of a new run; leaves the student at its base weights or at the stored checkpoint. */
export async function openRun(config: ExperimentConfig, deps: ClosedLoopDeps): Promise<RunState> {
  const { student, task, store } = deps;
  const now = deps.now ?? Date.now;
  const rng = new Rng(config.seed);
  const everySplit = splitsOf(task, config);
  const { splits, dropped } = fittingSplits(config, task, everySplit, student);
  const { name, picker, ...options } = config.strategy;
  const strategy = createStrategy(name, picker, options);
  const showPool = deps.showPool ?? false;
  const everyQuestion = [...everySplit.pool, ...everySplit.validation, ...everySplit.test];

  const prompts = promptsOf(config);
  const stored = await store.load();
  if (deps.resume === true) {
    if (stored === undefined)
      badInput(`run ${store.runId}`, "a stored run to resume", "none", "Start it without resume");
    checkSameConfig(store.runId, parseExperimentConfig(stored.manifest.config, `run ${store.runId}`), config);
    if (stored.manifest.prompts?.sha256 !== prompts?.sha256)
      badInput(
        `run ${store.runId}`,
        "the prompts it began with",
        "others",
        "They changed with the version of Tutelage; start a new run",
      );
  } else {
    if (stored !== undefined)
      badInput(
        `run ${store.runId}`,
        "a place without a run",
        `a run with ${stored.rounds.length} finished rounds`,
        "Resume it, delete it, or choose another place",
      );
  }
  const memoryChange = memoryChangeOf(config, stored, deps.memory);
  const budgetRound = stored?.replies.find(({ outcome }) => !outcome.ok && outcome.budget === true)?.round;
  const state: RunState = {
    config,
    memory: memoryChange?.to ?? memoryOf(config, stored),
    memoryChange,
    strategy,
    student,
    task,
    teacher: budgetedTeacher(
      deps.teacher,
      config,
      (stored?.replies ?? []).map(({ usage }) => usage),
      budgetRound !== undefined,
    ),
    store,
    signal: deps.signal,
    now,
    showPool,
    // One call after another where the order decides which of them a ceiling refuses.
    teacherConcurrency: keepsCeilings(config) ? 1 : (deps.teacherConcurrency ?? itemsInFlight(config)),
    recorded: deps.recorded ?? [],
    rng,
    splits,
    dropped,
    reserved: new Set(everyQuestion.map((question) => task.canonical(question.question))),
    stored,
    trainedAhead: stored === undefined ? undefined : trainedAhead(stored),
    examples: stored === undefined ? [] : stored.examples.filter((example) => example.round < stored.rounds.length),
    interventions: deps.interventions ?? new Interventions(),
    summaries: stored === undefined ? [] : [...stored.rounds],
    picks: stored === undefined ? [] : stored.picks.filter(({ round }) => round < stored.rounds.length),
    firstPool: stored?.pools.find(({ round }) => round === 1)?.items,
    judgeUsage: NO_USAGE,
    holdoutLosses: new Map(),
    openHoldout: deps.openHoldout,
    budgetRound,
  };
  state.interventions.load(stored);
  checkRowsFit(config, task, splits, strategy, student, { showPool });
  if (strategy.measures.some(({ kind }) => kind === "holdoutLoss") && deps.openHoldout === undefined)
    badInput(`strategy "${name}"`, "a holdout student", "none here", "Run it from the terminal");

  // A replayed run's teacher has replies, not calls.
  if (stored === undefined && state.recorded.length === 0) await checkCeilings(config, task, splits, deps.teacher);
  if (stored === undefined) {
    const teacherModel = deps.teacher.description?.();
    await store.create({
      schemaVersion: RUN_SCHEMA_VERSION,
      runId: store.runId,
      createdAt: new Date(now()).toISOString(),
      version: VERSION,
      config,
      engine: student.engine,
      student: {
        name: deps.studentName ?? studentName(config.student, config.adapter),
        parameters: student.parameters.total,
        trainable: student.parameters.trainable,
      },
      ...(dropped === undefined ? {} : { dropped }),
      ...(prompts === undefined ? {} : { prompts }),
      ...(teacherModel === undefined ? {} : { teacherModel }),
      ...(deps.race === undefined ? {} : { race: deps.race }),
    });
  }
  if (memoryChange !== undefined) await store.append({ type: "memory", change: memoryChange });
  await student.reset();
  if (stored?.checkpoint !== undefined) await student.restore(stored.checkpoint.parameters);
  return state;
}

/** What the manifest says of a chat teacher's prompts. @throws BadInputError for an edited one that cannot be filled in. */
function promptsOf({ task, teacher }: ExperimentConfig): RunManifest["prompts"] {
  if (teacher.chat === undefined) return undefined;
  const set = promptsFor(task.name, teacher.chat.prompts);
  return { name: set.name, version: set.version, sha256: promptsHash(set) };
}

/** The checkpoint of the first unfinished round, if the crash came after its training. */
function trainedAhead(stored: StoredRun): Checkpoint | undefined {
  const nextRound = stored.rounds.length;
  const checkpointRound = stored.checkpoint?.round ?? 0;
  // Round 0 trains nothing and has no checkpoint.
  if (checkpointRound !== Math.max(nextRound - 1, 0) && checkpointRound !== nextRound) {
    badInput(
      `run ${stored.manifest.runId}`,
      `the checkpoint of round ${nextRound - 1} or ${nextRound}`,
      `that of round ${checkpointRound}`,
      "The stored run is damaged; start a new one",
    );
  }
  return nextRound > 0 && checkpointRound === nextRound ? stored.checkpoint : undefined;
}

/** A resumed run has the settings it began with. */
function checkSameConfig(runId: string, before: ExperimentConfig, now: ExperimentConfig): void {
  const difference = firstDifference(before, now);
  if (difference === undefined) return;
  badInput(
    `run ${runId}, ${difference.path}`,
    `${difference.a} as the run began`,
    difference.b,
    "Resume with the run's own settings, or start a new run",
  );
}

/** A chat teacher counts its requests in flight itself: while some items store a reply, others are ready to ask in their place. */
function itemsInFlight({ teacher: { chat } }: ExperimentConfig): number {
  return chat === undefined ? DEFAULT_CONCURRENCY : 2 * chat.concurrency;
}
