/**
 * @file Which students a person can ask: those of a race, between its steps, or students
 * opened for asking alone. The untouched student is the first of each kind. Not here: what they
 * are asked (`talk.ts`).
 */
import type { ExecutionProvider } from "../runtime/types.ts";
import type { Student } from "../student/types.ts";
import type { EngineFetching, LanePlan, LoopServiceDeps, RaceEngine } from "./openLane.ts";
import type { Lane, PackStudent, Race } from "./race.ts";
import type { LoopRecord, Phase } from "./records.ts";
import type { Voice } from "./talk.ts";

/** How far a lane's student is. */
export interface LanePlace {
  /** Rounds it was trained for. */
  readonly rounds: number;
  /** The phase it is in the middle of. */
  readonly phase?: Phase;
}

/** Before anything was told. */
export const UNTAUGHT: LanePlace = { rounds: 0 };

/** Where a lane is after a record. */
export function placeAfter(place: LanePlace, record: LoopRecord): LanePlace {
  if (record.type === "round") return { rounds: Math.max(place.rounds, record.summary.round) };
  if (record.type !== "phase") return place;
  const { round, phase, state } = record;
  const trained = phase === "evaluate" || (phase === "train" && state === "end");
  const rounds = trained ? round : Math.max(0, round - 1);
  return state === "end" ? { rounds } : { rounds, phase };
}

/** What of an open race is asked. */
export interface RaceToAsk {
  readonly race: Race;
  readonly lanes: readonly Lane[];
  readonly places: readonly LanePlace[];
}

/** The untouched student of the first lane, then every lane's, each between two steps of the race. */
export function raceVoices({ race, lanes, places }: RaceToAsk): readonly Voice[] {
  const waits = (): boolean => race.running;
  const taught = lanes.map(({ config, task, student, store }, lane): Voice => ({
    speaker: { lane, runId: store.runId, strategy: config.strategy.name, ...(places[lane] ?? UNTAUGHT) },
    config,
    task,
    student,
    waits,
    speak: (work) => race.between(work),
  }));
  const [first] = lanes;
  if (first === undefined) return taught;
  const { config, task, student } = first;
  const speak: Voice["speak"] = (work) => race.between(() => asUntouched(student, work));
  return [{ speaker: { rounds: 0 }, config, task, student, waits, speak }, ...taught];
}

/** Lets the untouched weights of a student that is being trained speak, and puts its own back whatever happens. */
async function asUntouched<R>(student: Student, work: () => Promise<R>): Promise<R> {
  const trained = await student.snapshot();
  try {
    await student.reset();
    return await work();
  } finally {
    await student.restore(trained);
  }
}

/** Students opened for asking. */
export interface Bench {
  /** Equal for benches of the same students. */
  readonly key: string;
  readonly voices: readonly Voice[];
  /** Zip archives of the students as their runs left them, by run. */
  readonly packs: ReadonlyMap<string, PackStudent>;
  /** What is to be released, in reverse order. */
  readonly owned: (() => Promise<void>)[];
}

/** Opens each plan's student once, whatever the number of runs that taught it, on an engine of its own. */
export async function openBench<E extends RaceEngine>(
  deps: LoopServiceDeps<E>,
  key: string,
  plans: readonly LanePlan[],
  ep: ExecutionProvider | "auto",
  fetching: EngineFetching,
  warn: (message: string) => void,
): Promise<Bench> {
  const owned: (() => Promise<void>)[] = [];
  try {
    const engine = await deps.openEngine(ep, fetching);
    owned.push(() => engine.dispose());
    const students = new Map<string, { readonly student: Student; readonly pack?: PackStudent }>();
    const packs = new Map<string, PackStudent>();
    const voices: Voice[] = [];
    for (const { runId, config, stored } of plans) {
      const same = JSON.stringify([config.student, config.adapter, config.training.method]);
      const task = await deps.createTask(config);
      let opened = students.get(same);
      if (opened === undefined) {
        const { student } = (opened = await deps.openStudent(engine, config, warn));
        owned.push(() => student.dispose());
        students.set(same, opened);
        voices.push(voiceOf(student, { config, task, speaker: { rounds: 0 } }, undefined));
      }
      if (stored === undefined) continue;
      const { checkpoint } = stored;
      const lane = stored.manifest.race?.lane ?? voices.length - 1;
      const speaker = { lane, runId, strategy: config.strategy.name, rounds: checkpoint?.round ?? 0 };
      const voice = voiceOf(opened.student, { config, task, speaker }, checkpoint?.parameters);
      voices.push(voice);
      const { pack } = opened;
      if (pack !== undefined) packs.set(runId, (format) => voice.speak(() => pack(format)));
    }
    return { key, voices, packs, owned };
  } catch (error) {
    for (const release of owned.reverse()) await release().catch(() => undefined);
    throw error;
  }
}

function voiceOf(
  student: Student,
  whose: Pick<Voice, "speaker" | "config" | "task">,
  parameters: ReadonlyMap<string, Float32Array> | undefined,
): Voice {
  return {
    ...whose,
    student,
    waits: () => false,
    speak: async (work) => {
      await (parameters === undefined ? student.reset() : student.restore(parameters));
      return work();
    },
  };
}
