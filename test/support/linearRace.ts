/**
 * @file The real loop service over the small linear student and sums: for tests of
 * the page, which need true records, pauses, crashes and resumes, but no engine.
 */
import type { LoopService } from "../../src/protocol/loopService.ts";
import { LoopServiceImpl } from "../../src/loop/service.ts";
import type { RunLibrary } from "../../src/loop/runStore.ts";
import type { EngineInfo } from "../../src/runtime/types.ts";
import { packRuns, unpackRuns, zipFiles } from "../../src/storage/runArchive.ts";
import { LinearStudent, type LinearStudentOptions } from "./linearStudent.ts";
import { sumsTask, sumsTeacher } from "./sums.ts";

/** Terms below this: enough sums that a teacher rarely repeats one. */
const SIZE = 60;

const ENGINE: EngineInfo = { ep: "wasm", version: "linear 1", threads: 1, fallbackReason: "This test has no GPU." };

export interface LinearRaceOptions {
  /** Awaited before every batch and step: paces the loop, or throws. */
  readonly onWork?: LinearStudentOptions["onWork"];
  readonly errorRate?: number;
}

/** A service of its own; `library` is what outlives it. */
export function linearRace(library: RunLibrary, { onWork, errorRate = 0.1 }: LinearRaceOptions = {}): LoopService {
  const service = new LoopServiceImpl({
    library,
    providers: async () => [],
    openEngine: async () => ({ info: ENGINE, dispose: async () => undefined }),
    openStudent: async () => ({
      student: new LinearStudent({ size: SIZE, ...(onWork === undefined ? {} : { onWork }) }),
      name: "linear",
    }),
    archiver: { pack: packRuns, unpack: unpackRuns, zip: zipFiles },
    createTask: () => sumsTask(SIZE),
    createTeacher: () => sumsTeacher({ errorRate, size: SIZE }),
  });
  const createRace = service.createRace.bind(service);
  // The default learning rate is made for a language model: this student would not move.
  service.createRace = (request) =>
    createRace({
      ...request,
      lanes: (request.lanes as readonly { readonly training?: object }[]).map((lane) => ({
        ...lane,
        training: { learningRate: 0.05, ...lane.training },
      })),
    });
  return service;
}
