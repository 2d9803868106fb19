/**
 * @file Makes a person's decision about a pair: checks it as a teacher's pair is checked and
 * words it. Questions held back for evaluation never enter training, by hand neither.
 */
import { badInput } from "../core/errors.ts";
import type { PairChange } from "../protocol/loopService.ts";
import type { Student } from "../student/types.ts";
import type { Task } from "../tasks/types.ts";
import type { ExperimentConfig } from "./config.ts";
import { applyInterventions } from "./interventions.ts";
import { newId } from "./newId.ts";
import { verdictOn } from "./phases/verify.ts";
import type { Intervention } from "./records.ts";
import { encodingProblem } from "./runState.ts";
import type { StoredRun } from "./runStore.ts";
import { splitsOf } from "./splitsOf.ts";

/** Longest text of an edit or a reason, in characters. */
export const MAX_EDIT_CHARACTERS = 20_000;

export interface DecisionContext {
  readonly config: ExperimentConfig;
  readonly task: Task;
  readonly stored: StoredRun;
  /** Absent for a run that is not open: training then leaves a pair out that is too long. */
  readonly student?: Pick<Student, "encode"> | undefined;
  readonly nextRound: number;
  readonly now: () => number;
}

/**
 * The decision as it is stored.
 * @throws BadInputError for an unknown pair, a decision that changes nothing, and an edit that
 * holds a reserved or repeated question, fails the task's check, or does not fit the student.
 */
export function decide(exampleId: string, change: PairChange, context: DecisionContext): Intervention {
  const { stored, nextRound, now } = context;
  const pairs = applyInterventions(stored.examples, stored.interventions);
  const pair = pairs.find(({ id }) => id === exampleId);
  const made = stored.examples.find(({ id }) => id === exampleId);
  if (pair === undefined || made === undefined)
    badInput("pair", "one of the run's synthetic pairs", `"${exampleId}"`, "Load the table again");
  const base = { id: newId(), exampleId, round: nextRound, at: new Date(now()).toISOString() };
  switch (change.action) {
    case "reject": {
      if (!pair.accepted) badInput(`pair ${exampleId}`, "an accepted pair to reject", "a rejected one");
      const words = textOf("reason", change.reason ?? "");
      return { ...base, action: "reject", reason: words === "" ? "rejected by hand" : `rejected by hand: ${words}` };
    }
    case "restore":
      if (pair === made) badInput(`pair ${exampleId}`, "a pair changed by hand", "one as verification left it");
      return { ...base, action: "restore", reason: "as verification left it" };
    case "edit": {
      const question = textOf("question", change.question);
      const answer = textOf("answer", change.answer);
      if (question === pair.question && answer === pair.answer && pair.accepted)
        badInput(`pair ${exampleId}`, "another question or answer", "the same texts");
      const verdict = checkEdit({ id: exampleId, question, answer }, pairs, context);
      return { ...base, action: "edit", question, answer, reason: `edited by hand; ${verdict}` };
    }
    default:
      return badInput("pair change", "reject, edit or restore", JSON.stringify(change satisfies never));
  }
}

function textOf(where: string, value: unknown): string {
  if (typeof value !== "string") return badInput(where, "a text", typeof value);
  const text = value.trim();
  if (where !== "reason" && text === "") badInput(where, "a text", "an empty one");
  if (text.length > MAX_EDIT_CHARACTERS)
    badInput(where, `at most ${MAX_EDIT_CHARACTERS} characters`, String(text.length));
  return text;
}

/** What the check says of an edit that may be trained on. */
function checkEdit(
  edit: { readonly id: string; readonly question: string; readonly answer: string },
  pairs: readonly StoredRun["examples"][number][],
  { config, task, student }: DecisionContext,
): string {
  const canonical = task.canonical(edit.question);
  for (const [name, questions] of Object.entries(splitsOf(task, config)))
    if (questions.some(({ question }: { readonly question: string }) => task.canonical(question) === canonical))
      badInput("edited question", "a question of its own", `one of the ${name} questions`, "Change it further");
  const same = pairs.find(({ id, accepted, question }) =>
    id === edit.id || !accepted ? false : task.canonical(question) === canonical,
  );
  if (same !== undefined)
    badInput("edited question", "a question of its own", `that of the accepted pair ${same.id}`, "Change it further");
  const tooLong = student === undefined ? undefined : encodingProblem({ student, task }, edit);
  if (tooLong !== undefined) badInput("edited pair", "one that fits the student's context", tooLong, "Shorten it");
  const verdict = verdictOn(task, config.verification, edit);
  if (verdict === undefined) return "not checked";
  if (!verdict.correct)
    badInput("edited pair", "one that passes the task's own check", verdict.reason, "Correct question or answer");
  return verdict.reason;
}
