/** @file Seeds placed by the student's hidden states: a plane that is fixed when it is first asked for, so that later places show what moved. */
import type { Plane } from "../core/principalComponents.ts";
import { principalPlane, projectOnto } from "../core/principalComponents.ts";
import type { PoolMap, PoolMapRequest } from "../protocol/loopService.ts";
import type { Lane } from "./race.ts";

/** Places of the request's rows in `plane`, or in the plane in which they spread most. Runs the lane's student. */
export async function mapPool(
  { task, student }: Lane,
  { rows }: PoolMapRequest,
  plane: Plane | undefined,
  signal: AbortSignal,
): Promise<{ readonly map: PoolMap; readonly plane: Plane }> {
  const states = await student.meanStates(
    rows.map(({ id, question, answer }) => ({ id, prompt: task.prompt(question), completion: answer })),
    { signal },
  );
  const used = plane ?? principalPlane(states);
  const places = rows.map(({ id }, i) => {
    const [x, y] = projectOnto(used, states[i] ?? used.mean);
    return { id, x, y };
  });
  return { map: { places, explained: used.explained, dimensions: used.mean.length }, plane: used };
}
