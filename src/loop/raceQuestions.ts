/**
 * @file What a person asks of an open race, between two pulls of it: what a student makes of a
 * text, where the pool lies for it, its files, how its engine does. Not here: talks with several
 * students (`talkDesk.ts`).
 */
import { badInput, invariant } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import type {
  AskReply,
  AskRequest,
  EngineStatus,
  PoolMap,
  PoolMapRequest,
  ProviderStatus,
  TokenLossRequest,
} from "../protocol/loopService.ts";
import type { StudentFormat, TokenLoss } from "../student/types.ts";
import { engineStatus, laneNeeds } from "./engineStatus.ts";
import type { OpenRace } from "./openRace.ts";
import { mapPool } from "./poolMap.ts";
import type { Lane } from "./race.ts";

/** Loss of each token of an answer. @throws BadInputError for a lane that is not there. */
export async function raceTokenLosses(
  { race, lanes, abort }: OpenRace,
  { lane, question, answer }: TokenLossRequest,
): Promise<readonly TokenLoss[]> {
  const { task, student } = laneOf(lanes, lane, "tokenLosses.lane");
  const row = { prompt: task.prompt(question), completion: answer };
  return race.between(() => student.tokenLosses(row, { signal: abort.signal }));
}

/** The pool by a student's hidden states, on the axes of the race's first map. @throws BadInputError for fewer than 3 rows. */
export async function racePoolMap(open: OpenRace, request: PoolMapRequest): Promise<PoolMap> {
  const lane = laneOf(open.lanes, request.lane, "mapPool.lane");
  if (request.rows.length < 3) badInput("mapPool.rows", "at least 3", String(request.rows.length));
  return open.race.between(async () => {
    const { map, plane } = await mapPool(lane, request, open.plane, open.abort.signal);
    open.plane = plane;
    return map;
  });
}

/** What a lane's student answers to a question. */
export async function askStudent({ race, lanes, abort }: OpenRace, request: AskRequest): Promise<AskReply> {
  const lane = laneOf(lanes, request.lane, "ask.lane");
  const prompt = lane.task.prompt(request.question);
  const [reply] = await race.between(() =>
    lane.student.generate([prompt], {
      maxNewTokens: request.maxNewTokens ?? lane.config.generation.maxNewTokens,
      temperature: request.temperature ?? 0,
      topP: request.topP ?? 1,
      rng: new Rng(request.seed ?? 0),
      batchSize: 1,
      signal: abort.signal,
    }),
  );
  invariant(reply !== undefined, "one completion per prompt");
  const { completion, tokens, finishReason } = reply;
  return { prompt, completion, tokens, finishReason };
}

/** A lane's student as it is, as an archive. @throws BadInputError for a student that is not made of files. */
export async function packRaceStudent(
  { race, lanes }: OpenRace,
  index: number,
  format: StudentFormat,
): Promise<Uint8Array> {
  const { pack } = laneOf(lanes, index, "packStudent.lane");
  if (pack === undefined) badInput("packStudent", "a student made of files", "another one");
  return race.between(() => pack(format));
}

/** How the race's engine does. What training needs is worked out once. */
export function raceEngineStatus(open: OpenRace, providers: readonly ProviderStatus[]): EngineStatus {
  const [first] = open.lanes;
  if (first !== undefined) open.needs ??= laneNeeds(first);
  return engineStatus(providers, open.engine, open.race.waiting, open.needs);
}

function laneOf(lanes: readonly Lane[], index: number, where: string): Lane {
  return lanes[index] ?? badInput(where, `a lane from 0 to ${lanes.length - 1}`, String(index));
}
