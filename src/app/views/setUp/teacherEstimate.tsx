/** @file What a whole run would ask of its teacher, from a dry run in the worker over the chosen settings: before anything is spent. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { PromptEdits } from "../../../teacher/config.ts";
import type { TeacherDemand, TeacherEstimate } from "../../../teacher/types.ts";
import { formatCount, formatInteger, formatUsd } from "../../format.ts";
import { withPrompts } from "../../promptEdits.ts";
import type { CheckedSettings } from "../../settings.ts";
import { experimentsOf } from "../../settings.ts";
import type { SetUpActions } from "./setUpActions.ts";

/** After the last change of a setting. */
const QUIET_MS = 300;

const CEILINGS: Readonly<Record<NonNullable<TeacherEstimate["ceiling"]>, string>> = {
  requests: "requests",
  tokens: "tokens",
  money: "money",
  minutes: "minutes",
};

/** The estimate, as soon as the worker has it. */
export function Estimate({
  checked,
  prompts,
  actions,
}: {
  readonly prompts: PromptEdits;
  readonly checked: CheckedSettings & { readonly ok: true };
  readonly actions: SetUpActions;
}): VNode {
  const [estimate, setEstimate] = useState<TeacherEstimate | null>(null);
  const experiments = JSON.stringify(withPrompts(experimentsOf(checked.settings), prompts));
  useEffect(() => {
    let gone = false;
    const ask = async (): Promise<void> => {
      const found = await actions.estimateTeacher(JSON.parse(experiments) as readonly unknown[]);
      if (!gone) setEstimate(found);
    };
    const timer = setTimeout(() => void ask(), QUIET_MS);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [experiments, actions]);
  return (
    <p class="note" role="note" aria-label="Estimate">
      {estimate === null ? "" : describe(estimate)} A run stops cleanly where a ceiling is reached.
    </p>
  );
}

function describe({
  requests,
  promptTokens,
  completionTokens,
  costUsd,
  minutes,
  ceiling,
  atMost,
}: TeacherEstimate): string {
  const money = costUsd === null ? "" : `, about ${formatUsd(costUsd)}`;
  const ends = ceiling === undefined ? "" : ` Its ceiling of ${CEILINGS[ceiling]} ends it before.`;
  return `A whole run asks ${formatCount(requests, "request")}: about ${formatInteger(promptTokens + completionTokens)} tokens${money}, ${formatCount(Math.max(1, Math.ceil(minutes)), "minute")} at a service's usual pace; retries come on top.${ends}${atMost === undefined ? "" : describeAtMost(requests, atMost)}`;
}

/** What rejected pairs that are asked for again may add. */
function describeAtMost(requests: number, atMost: TeacherDemand): string {
  const money = atMost.costUsd === null ? "" : `, ${formatUsd(atMost.costUsd)}`;
  const ends = atMost.ceiling === undefined ? "" : `; its ceiling of ${CEILINGS[atMost.ceiling]} ends it before that`;
  return ` Rejected pairs that are asked for again add up to ${formatCount(atMost.requests - requests, "request")} (at most ${formatInteger(atMost.promptTokens + atMost.completionTokens)} tokens${money} in all${ends}).`;
}
