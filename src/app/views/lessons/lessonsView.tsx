/** @file The lessons: a list, and one lesson as text beside the live race. Steps are ticked by what the run did. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { hasRun } from "../../appState.ts";
import { formatDuration } from "../../format.ts";
import { formatRoute } from "../../route.ts";
import type { ViewProps } from "../registry.ts";
import { RaceView } from "../race/raceView.tsx";
import type { Lesson } from "./lesson.ts";
import { isPrepared, judgeAnswer, runsWith } from "./lesson.ts";
import { LESSONS } from "./lessons.ts";
import "./lessons.css";
import type { LessonVerdict } from "./progress.ts";
import { advance, mayAnswer, PROGRESS, progressOf, readFinished, rememberFinished } from "./progress.ts";
import { ProseView } from "./prose.tsx";

/** The list, or the lesson that the address names. */
export function LessonsView({ state, page }: ViewProps): VNode {
  const [id] = state.route.rest;
  const lesson = LESSONS.find((one) => one.id === id);
  return lesson === undefined ? (
    <LessonList unknown={id} />
  ) : (
    <LessonView key={lesson.id} lesson={lesson} state={state} page={page} />
  );
}

function LessonList({ unknown }: { readonly unknown: string | undefined }): VNode {
  const finished = readFinished();
  return (
    <section class="lesson-list" aria-labelledby="lessons-title">
      <h2 class="view-title" id="lessons-title">
        Four lessons on the live engine
      </h2>
      <p class="lead">
        Each takes about five minutes and ends with a question that you answer by running something. Nothing is sent
        anywhere, and every number in a lesson comes from your own run. Processor times below were measured in Chromium
        with the WASM engine on two threads.
      </p>
      {unknown !== undefined && (
        <p class="note" role="status">
          There is no lesson called “{unknown}”.
        </p>
      )}
      <ol class="lesson-cards">
        {LESSONS.map(({ id, title, about, cpuSeconds }, index) => (
          <li key={id}>
            <a href={formatRoute({ view: "lessons", rest: [id] })}>
              <span class="lesson-number" aria-hidden="true">
                {finished.includes(id) ? "✓" : index + 1}
              </span>
              <strong>{title}</strong>
              <span>{about}</span>
              <span class="note">
                Its two runs compute for about {formatDuration(1000 * cpuSeconds)} of processor time.
              </span>
              {finished.includes(id) && <span class="note">Finished</span>}
            </a>
          </li>
        ))}
      </ol>
    </section>
  );
}

function LessonView({ lesson, state, page }: ViewProps & { readonly lesson: Lesson }): VNode {
  const { lanes, pending } = state;
  const progress = PROGRESS.of(state);
  useEffect(() => {
    PROGRESS.change(page.store, (now) => advance(now, lesson, lanes));
  }, [lesson, lanes]);
  const { shown, verdict } = progressOf(progress, lesson);
  const index = LESSONS.indexOf(lesson);
  const next = LESSONS[index + 1];
  const prepare = (change: Lesson["settings"]): void => {
    page.setUp.applyPreset(change);
    if (hasRun(state)) page.race.newRun();
  };
  const { slider } = lesson;
  const own = runsWith(lanes, lesson.settings, slider === undefined ? [] : [slider.name]);
  // Pressed before it is prepared, Step would begin another run.
  const ready = own || (isPrepared(lesson, state.draft) && !hasRun(state));
  const complete = shown.length === lesson.steps.length;
  return (
    <div class="lesson">
      <article class="lesson-text" aria-labelledby="lesson-title">
        <p class="lesson-place">
          <a href={formatRoute({ view: "lessons" })}>Lessons</a> · {index + 1} of {LESSONS.length}
        </p>
        <h2 class="view-title" id="lesson-title">
          {lesson.title}
        </h2>
        <p class="lead">{lesson.about}</p>
        {shown.length === 0 && !ready && (
          <div class="lesson-begin">
            <p>
              The lesson brings its own settings: a small pool and a short run.{" "}
              {hasRun(state) && "The run on the page is put away, not deleted."}
            </p>
            <button type="button" class="primary" disabled={pending !== null} onClick={() => prepare(lesson.settings)}>
              Prepare the lesson
            </button>
          </div>
        )}
        {slider !== undefined && ready && !complete && (
          <Slider
            {...slider}
            value={state.draft[slider.name]}
            off={hasRun(state)}
            onChange={(value) => page.setUp.changeSetting(slider.name, value)}
          />
        )}
        <ol class="lesson-steps">
          {lesson.steps.map((step, at) => {
            const passed = at < shown.length;
            const open = at === shown.length;
            return (
              <li
                key={step.title}
                class={passed ? "passed" : open ? "open" : "later"}
                aria-current={open ? "step" : undefined}
              >
                <h3>
                  <span class="lesson-mark" aria-hidden="true">
                    {passed ? "✓" : at + 1}
                  </span>
                  {step.title}
                  <span class="hidden">{passed ? ", done" : open ? ", now" : ", later"}</span>
                </h3>
                {(passed || open) && (
                  <p>
                    <ProseView prose={step.text} />
                  </p>
                )}
                {open && (ready || at > 0) && (
                  <p class="lesson-todo">
                    <ProseView prose={step.todo} />
                  </p>
                )}
                {passed && shown[at] !== "" && (
                  <p class="lesson-shown">
                    <ProseView prose={shown[at] ?? ""} />
                  </p>
                )}
              </li>
            );
          })}
        </ol>
        {complete && (
          <QuestionView
            lesson={lesson}
            prepared={runsWith(lanes, { ...lesson.settings, ...lesson.question.change })}
            busy={pending !== null}
            answerable={mayAnswer(progress, lesson, lanes)}
            verdict={verdict}
            onPrepare={() => prepare({ ...lesson.settings, ...lesson.question.change })}
            onAnswer={(given) => {
              const right = judgeAnswer(lesson.question.answer, given, lanes);
              if (right === undefined) return false;
              if (right) rememberFinished(lesson.id);
              const { answer, explained } = lesson.question;
              const verdict = {
                given: answer.kind === "choice" ? (answer.options[given] ?? given) : given.trim(),
                right,
                text: explained(lanes),
              };
              PROGRESS.change(page.store, (now) => ({
                ...now,
                [lesson.id]: { ...progressOf(now, lesson), verdict },
              }));
              return true;
            }}
          />
        )}
        {verdict?.right === true && next !== undefined && (
          <p>
            <a class="chip" href={formatRoute({ view: "lessons", rest: [next.id] })}>
              Next: {next.title}
            </a>
          </p>
        )}
        <p class="lesson-sources note">
          Read more:{" "}
          {lesson.sources.map(({ text, href }, at) => (
            <span key={text}>
              {at === 0 ? "" : "; "}
              {href === undefined ? text : <a href={href}>{text}</a>}
            </span>
          ))}
        </p>
      </article>
      <div class="lesson-race">
        <RaceView state={state} page={page} />
      </div>
    </div>
  );
}

function Slider({
  name,
  label,
  low,
  high,
  step,
  value,
  off,
  onChange,
}: NonNullable<Lesson["slider"]> & {
  readonly value: string;
  readonly off: boolean;
  readonly onChange: (value: string) => void;
}): VNode {
  return (
    <div class="field lesson-slider">
      <label for={`lesson-${name}`}>
        {label}: <output for={`lesson-${name}`}>{value}</output>
      </label>
      <input
        id={`lesson-${name}`}
        type="range"
        min={low}
        max={high}
        step={step}
        value={value}
        disabled={off}
        aria-describedby={`about-lesson-${name}`}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      <p id={`about-lesson-${name}`} class="field-help">
        {off ? "Fixed while a run is on the page." : "The share of its pairs in which it plants a mistake."}
      </p>
    </div>
  );
}

interface QuestionViewProps {
  readonly lesson: Lesson;
  readonly prepared: boolean;
  readonly busy: boolean;
  readonly answerable: boolean;
  readonly verdict: LessonVerdict | undefined;
  readonly onPrepare: () => void;
  /** False for what is no answer. */
  readonly onAnswer: (given: string) => boolean;
}

function QuestionView({ lesson, prepared, busy, answerable, verdict, onPrepare, onAnswer }: QuestionViewProps): VNode {
  const { question } = lesson;
  const { answer } = question;
  const [given, setGiven] = useState("");
  const [odd, setOdd] = useState(false);
  return (
    <section class="lesson-question" aria-labelledby="question-title">
      <h3 id="question-title">Your turn</h3>
      <p>
        <ProseView prose={question.text} />
      </p>
      {!prepared && verdict?.right !== true && (
        <button type="button" class="primary" disabled={busy} onClick={onPrepare}>
          Prepare this run
        </button>
      )}
      {prepared && !answerable && (
        <p class="lesson-todo">
          <ProseView prose={question.todo} />
        </p>
      )}
      {answerable && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            setOdd(!onAnswer(given));
          }}
        >
          {answer.kind === "choice" ? (
            <fieldset class="lesson-options">
              <legend class="hidden">Your answer</legend>
              {Object.entries(answer.options).map(([key, text]) => (
                <label key={key}>
                  <input
                    type="radio"
                    name={`answer-${lesson.id}`}
                    value={key}
                    checked={given === key}
                    onChange={() => setGiven(key)}
                  />{" "}
                  {text}
                </label>
              ))}
            </fieldset>
          ) : (
            <div class="field">
              <label for={`answer-${lesson.id}`}>{answer.label}</label>
              <input
                id={`answer-${lesson.id}`}
                type="text"
                inputMode="decimal"
                autocomplete="off"
                maxLength={12}
                value={given}
                aria-invalid={odd}
                onInput={(event) => setGiven(event.currentTarget.value)}
              />
            </div>
          )}
          <button type="submit">Check my answer</button>
          {odd && (
            <p class="field-error" role="alert">
              {answer.kind === "choice" ? "Choose one, please." : "A number, please."}
            </p>
          )}
        </form>
      )}
      <div aria-live="polite">
        {verdict !== undefined && (
          <p class={`lesson-verdict lesson-verdict-${verdict.right ? "right" : "wrong"}`}>
            <strong>
              {verdict.right ? "✓" : "✗"} “{verdict.given}”:{" "}
              {verdict.right ? "that is what the run shows." : "the run says otherwise."}
            </strong>{" "}
            {verdict.right ? <ProseView prose={verdict.text} /> : "Look at it again, and answer once more."}
          </p>
        )}
      </div>
    </section>
  );
}
