/**
 * @file A question put to students by a person: each answers token by token, the answer is
 * checked where the right one can be known. Not here: which students there are (`service.ts`).
 */
import { TutelageError, badInput, throwIfAborted } from "../core/errors.ts";
import { Rng } from "../core/rng.ts";
import type { TalkAnswer, TalkEvent, TalkRequest, TalkSpeaker, TalkVerdict } from "../protocol/loopService.ts";
import type { Student } from "../student/types.ts";
import type { Question, Task } from "../tasks/types.ts";
import { breather } from "./breathe.ts";
import type { ExperimentConfig } from "./config.ts";
import { splitsOf } from "./splitsOf.ts";

/** A student that can be asked. */
export interface Voice {
  readonly speaker: TalkSpeaker;
  readonly config: ExperimentConfig;
  readonly task: Task;
  readonly student: Student;
  /** Runs `work` when nothing else uses the student, with the weights that speak. */
  readonly speak: <R>(work: () => Promise<R>) => Promise<R>;
  /** Whether it has to wait for a race. */
  readonly waits: () => boolean;
}

/** Longest question, in characters. */
const MAX_QUESTION_CHARACTERS = 8_000;
const MAX_NEW_TOKENS = 4_096;
const MAX_TEMPERATURE = 10;

/** The answers, in the order of the voices. Stopped by `signal`, those so far: the last one as far as it came. */
export async function talk(
  voices: readonly Voice[],
  request: TalkRequest,
  tell: (event: TalkEvent) => void,
  signal: AbortSignal,
): Promise<readonly TalkAnswer[]> {
  const question = checkRequest(request);
  const answers: TalkAnswer[] = [];
  for (const [index, voice] of voices.entries()) {
    if (signal.aborted) break;
    if (voice.waits()) tell({ kind: "waiting", speaker: index });
    const answer = await ask(voice, index, question, request, tell, signal);
    answers.push(answer);
    tell({ kind: "answer", speaker: index, answer });
  }
  return answers;
}

function checkRequest({ question, temperature = 0, maxNewTokens }: TalkRequest): string {
  if (typeof question !== "string" || question.trim() === "") badInput("question", "a text", "an empty one");
  if (question.length > MAX_QUESTION_CHARACTERS)
    badInput("question", `at most ${MAX_QUESTION_CHARACTERS} characters`, String(question.length));
  if (!(temperature >= 0 && temperature <= MAX_TEMPERATURE))
    badInput("temperature", `a number from 0 to ${MAX_TEMPERATURE}`, String(temperature));
  if (
    maxNewTokens !== undefined &&
    !(Number.isInteger(maxNewTokens) && maxNewTokens >= 1 && maxNewTokens <= MAX_NEW_TOKENS)
  )
    badInput("maxNewTokens", `a whole number from 1 to ${MAX_NEW_TOKENS}`, String(maxNewTokens));
  return question.trim();
}

async function ask(
  { speaker: _, config, task, student, speak }: Voice,
  speaker: number,
  question: string,
  { temperature = 0, topP = 1, seed = 0, maxNewTokens = config.generation.maxNewTokens }: TalkRequest,
  tell: (event: TalkEvent) => void,
  signal: AbortSignal,
): Promise<TalkAnswer> {
  const prompt = task.prompt(question);
  const breathe = breather();
  let told = "";
  let tokens = 0;
  try {
    const [generation] = await speak(() => {
      throwIfAborted(signal, "talk");
      tell({ kind: "begins", speaker, prompt });
      return student.generate([prompt], {
        maxNewTokens,
        temperature,
        topP,
        rng: new Rng(seed),
        batchSize: 1,
        signal,
        onToken: async (token) => {
          tokens++;
          if (!token.end) told += token.text;
          tell({ kind: "token", speaker, token });
          // Messages go out, and a stop comes in, only when the event loop turns.
          await breathe();
        },
      });
    });
    const completion = generation?.completion ?? "";
    return {
      completion,
      tokens: generation?.tokens ?? 0,
      finishReason: generation?.finishReason ?? "stop",
      verdict: judge(task, config, question, completion),
    };
  } catch (error) {
    if (!(error instanceof TutelageError && error.code === "aborted")) throw error;
    return { completion: told, tokens, finishReason: "stopped", verdict: null };
  }
}

/** The checker's word on an answer, null where the right one cannot be known. */
function judge(task: Task, config: ExperimentConfig, question: string, completion: string): TalkVerdict | null {
  const solved = task.author?.solve(question);
  const answer = solved ?? goldOf(task, config, question)?.answer;
  if (answer === undefined) return null;
  const verdict = task.check({ question, answer }, completion);
  return {
    correct: verdict.correct,
    expected: verdict.expected,
    got: verdict.got ?? null,
    reason: verdict.reason,
    source: solved === undefined ? "data" : "solver",
  };
}

function goldOf(task: Task, config: ExperimentConfig, question: string): Question | undefined {
  const canonical = task.canonical(question);
  return Object.values(splitsOf(task, config))
    .flat()
    .find((known: Question) => task.canonical(known.question) === canonical);
}
