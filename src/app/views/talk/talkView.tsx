/** @file Talk to the student: one question to the untouched student and to every taught one, side by side, token by token. */
import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import type { TalkSpeaker } from "../../../protocol/loopService.ts";
import type { AppState } from "../../appState.ts";
import { laneLabels } from "../../appState.ts";
import { formatCount } from "../../format.ts";
import type { ViewProps } from "../registry.ts";
import { AnswerCard } from "./answerCard.tsx";
import { exampleKey, talkOf, talkSlice, TEMPERATURES } from "./talkActions.ts";
import type { TalkState } from "./talkActions.ts";
import "./talk.css";

/** The view. */
export function TalkView({ state, page }: ViewProps): VNode {
  const talking = talkOf(page);
  const slice = talkSlice.of(state);
  const { question, temperature, talk, problem, examples } = slice;
  const ready = state.pending !== "worker" && state.crash === null;
  const key = exampleKey(state);
  useEffect(() => {
    if (ready) void talking.loadExamples();
  }, [ready, key]);
  const running = talk?.running === true;
  return (
    <>
      <section class="ask" aria-labelledby="ask-title">
        <h2 class="view-title" id="ask-title">
          Talk to the student
        </h2>
        <p class="lead">{whoAnswers(state)}</p>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            talking.ask();
          }}
        >
          <label class="hidden" for="talk-question">
            Your question
          </label>
          <textarea
            id="talk-question"
            rows={3}
            maxLength={8000}
            placeholder="Write a question like those of the task, or take one below."
            value={question}
            onInput={(event) => talking.setQuestion(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) talking.ask();
            }}
          />
          {examples.length > 0 && (
            <ul class="examples" aria-label="Questions it was never trained on">
              {examples.map((example) => (
                <li key={example.question}>
                  <button type="button" class="example" onClick={() => talking.setQuestion(example.question)}>
                    <span class="example-level">{example.level}</span>
                    <span class="example-text">{example.question}</span>
                  </button>
                </li>
              ))}
            </ul>
          )}
          <div class="ask-line">
            {running ? (
              <button type="button" class="primary" onClick={() => talking.stop()}>
                Stop
              </button>
            ) : (
              <button type="submit" class="primary" aria-disabled={question.trim() === "" || !ready}>
                Ask
              </button>
            )}
            <label class="temperature">
              <span>Choice of tokens</span>{" "}
              <select value={temperature} onChange={(event) => talking.setTemperature(event.currentTarget.value)}>
                {Object.entries(TEMPERATURES).map(([value, text]) => (
                  <option key={value} value={value}>
                    {text}
                  </option>
                ))}
              </select>
            </label>
            <p class="note" role="status">
              {progressText(slice, state)}
            </p>
          </div>
        </form>
        {problem !== null && (
          <div class="banner banner-error" role="alert">
            <p>{problem.message}</p>
            <p>{problem.advice}</p>
          </div>
        )}
      </section>
      {talk !== null && talk.answers.length > 0 && (
        <section aria-labelledby="answers-title">
          <h2 id="answers-title" class="hidden">
            Answers
          </h2>
          <p class="asked">
            <span class="asked-label">Asked</span>
            {talk.question}
          </p>
          <div class="answers" style={{ "--speakers": talk.answers.length }}>
            {talk.answers.map((answer, index) => {
              const speaker = talk.speakers[index] ?? { rounds: 0 };
              return (
                <AnswerCard
                  key={`${talk.id} ${index}`}
                  answer={answer}
                  lane={speaker.lane}
                  name={speakerName(speaker, state)}
                  about={speakerAbout(speaker)}
                />
              );
            })}
          </div>
          <DoubtLegend />
        </section>
      )}
    </>
  );
}

function whoAnswers(state: AppState): string {
  const taught = state.lanes.filter(({ run }) => run !== null).length;
  if (taught === 0)
    return "No student has been taught yet: the untouched one answers. Run a race first to hear what training changed.";
  const base = `The untouched student answers first, then ${taught === 1 ? "the taught one" : `the ${taught} taught ones`}.`;
  return state.raceState === "running" || state.raceState === "stepping"
    ? `${base} The race goes on: its steps and the answers take turns, and nothing of it changes.`
    : base;
}

function progressText({ talk }: TalkState, state: AppState): string {
  if (talk === null) return "";
  if (!talk.running) return "";
  if (talk.answers.length === 0) return state.race === null ? "Opening the student…" : "Asking…";
  const index = talk.answers.findIndex(({ status }) => status === "waiting" || status === "speaking");
  const speaker = talk.speakers[index];
  const answer = talk.answers[index];
  if (speaker === undefined || answer === undefined) return "";
  const name = speakerName(speaker, state);
  return answer.status === "waiting" ? `${name} is queued: the race finishes its step first.` : `${name} answers.`;
}

/** A speaker's name for people. */
export function speakerName({ lane, strategy }: TalkSpeaker, state: AppState): string {
  return lane === undefined ? "Untouched student" : (laneLabels(state)[lane] ?? strategy ?? `lane ${lane + 1}`);
}

function speakerAbout({ lane, rounds, phase }: TalkSpeaker): string {
  if (lane === undefined) return "base weights, never taught";
  const taught = rounds === 0 ? "not taught yet" : `taught for ${formatCount(rounds, "round")}`;
  return phase === "train" ? `${taught}, in the middle of the next` : taught;
}

function DoubtLegend(): VNode {
  return (
    <p class="doubt-legend">
      <span>How sure it was of a token:</span>
      <span class="doubt-scale">
        100&nbsp;%
        <span class="doubt-ramp" aria-hidden="true" />
        10&nbsp;% or less
      </span>
      <span>Point at a token, or use the slider, to see what else it might have said.</span>
    </p>
  );
}
