/** @file What `tutelage loop` shows of a loop's records: a line a round, progress where someone watches. */
import type { LoopRecord, StopReason } from "../loop/records.ts";
import { describeMemoryChange } from "../student/memorySettings.ts";
import { chatProviderOf } from "../teacher/registry.ts";
import type { TeacherUsage } from "../teacher/types.ts";
import type { Output } from "./output.ts";

/** Why a run ended before its last round, for people. */
const ENDED: Readonly<Record<Exclude<StopReason, "rounds">, string>> = {
  budget: "its budget is used",
  target: "the accuracy on the validation questions reached the target",
  plateau: "the accuracy on the validation questions no longer rises",
  "used-up": "every seed pair is trained on",
};

function describe(record: LoopRecord): string | undefined {
  switch (record.type) {
    case "phase":
      return record.state === "end"
        ? undefined
        : `round ${record.round}: ${record.phase} ${record.done}/${record.total}`;
    case "step":
      return `round ${record.round}: train step ${record.step}/${record.totalSteps}, loss ${record.loss.toFixed(3)}, ${Math.round(record.tokensPerSecond)} tokens/s`;
    default:
      return undefined;
  }
}

/** What a chat teacher used, for people; empty for a teacher that sends nothing. */
function describeUse({ requests, cached = 0, promptTokens, completionTokens, costUsd }: TeacherUsage): string {
  const fromCache = cached === 0 ? "" : `, ${cached} replies from the cache`;
  return `  teacher: ${requests} requests${fromCache}, ${promptTokens + completionTokens} tokens, $${costUsd.toFixed(4)}`;
}

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;

/** Shows the loop's records as they come: a line a round, progress where someone watches. Returns how many rounds ended. */
export async function showRecords(records: AsyncIterable<LoopRecord>, output: Output): Promise<number> {
  let rounds = 0;
  let chat = false;
  for await (const record of records) {
    const progress = describe(record);
    if (progress !== undefined) output.progress(progress);
    if (record.type === "warning") output.note(`warning: ${record.message}`);
    if (record.type === "memory")
      output.note(
        `from round ${record.change.round} on: ${describeMemoryChange(record.change.from, record.change.to)}`,
      );
    if (record.type === "step" && record.precision !== undefined)
      output.note(`round ${record.round}: training in ${record.precision.precision}; ${record.precision.reason}`);
    if (record.type === "run") chat = chatProviderOf(record.config.teacher.name) !== undefined;
    if (record.type === "done" && record.reason !== "rounds")
      output.note(
        `the run ended after ${record.rounds} round${record.rounds === 1 ? "" : "s"}: ${ENDED[record.reason]}`,
      );
    if (record.type === "usage") output.progress(`round ${record.round}: teach${describeUse(record.usage)}`);
    if (record.type === "round") {
      rounds++;
      const { round, examples, evaluation, accepted, rejected, durationMs } = record.summary;
      output.record(
        record.summary,
        `round ${round}  ${examples} synthetic pairs (+${accepted}, ${rejected} rejected)  ${evaluation.split} accuracy ${percent(evaluation.accuracy)} (95 % interval ${percent(evaluation.low)} to ${percent(evaluation.high)}, n = ${evaluation.n})  ${(durationMs / 1000).toFixed(1)} s${chat ? describeUse(record.summary.teacher) : ""}`,
      );
    }
  }
  return rounds;
}
