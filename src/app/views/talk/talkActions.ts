/** @file Asking students: the question as typed, the talk under way, and its events folded into what is shown. */
import type {
  LoopEvent,
  SampleQuestion,
  TalkAnswer,
  TalkEvent,
  TalkPartners,
  TalkSpeaker,
} from "../../../protocol/loopService.ts";
import type { ChosenToken } from "../../../student/types.ts";
import type { AppState } from "../../appState.ts";
import type { Page } from "../../controller.ts";
import { engineOptions } from "../../engineOptions.ts";
import { perPage } from "../../perPage.ts";
import type { Problem } from "../../problem.ts";
import { problemOf } from "../../problem.ts";
import { checkSettings, experimentsOf } from "../../settings.ts";
import { defineSlice } from "../../slice.ts";

/** One speaker's answer as it grows. */
export interface AnswerState {
  /** waiting: for the race to finish a step. */
  readonly status: "queued" | "waiting" | "speaking" | "done";
  readonly tokens: readonly ChosenToken[];
  readonly answer: TalkAnswer | null;
}

export interface Talk {
  readonly id: number;
  readonly question: string;
  /** What the students were given; empty before the first began. */
  readonly prompt: string;
  readonly speakers: readonly TalkSpeaker[];
  readonly answers: readonly AnswerState[];
  readonly running: boolean;
}

export interface TalkState {
  readonly question: string;
  /** As chosen; "0" is greedy. */
  readonly temperature: string;
  readonly talk: Talk | null;
  readonly problem: Problem | null;
  readonly examples: readonly SampleQuestion[];
  /** What the examples belong to. */
  readonly examplesOf: string;
}

/** Temperatures to choose from, with what they mean. */
export const TEMPERATURES: Readonly<Record<string, string>> = {
  "0": "Always the likeliest token",
  "0.7": "Temperature 0.7",
  "1": "Temperature 1",
  "1.5": "Temperature 1.5",
};

const EXAMPLES = 4;
/** Questions asked for, to find one of each level. */
const EXAMPLE_POOL = 60;

export const talkSlice = defineSlice<TalkState>({
  question: "",
  temperature: "0",
  talk: null,
  problem: null,
  examples: [],
  examplesOf: "",
});

export class TalkController {
  readonly #page: Page;
  #ids = 0;

  constructor(page: Page) {
    this.#page = page;
    page.link.listen((batch) => this.#hear(batch));
  }

  setQuestion(question: string): void {
    this.#change({ question });
  }

  setTemperature(temperature: string): void {
    this.#change({ temperature });
  }

  /** Asks the question as typed. */
  ask(): void {
    const { store, link } = this.#page;
    const { question, temperature, talk: before } = talkSlice.of(store.state);
    const { service } = link;
    const partners = partnersOf(store.state);
    if (question.trim() === "" || service === undefined || partners === undefined || before?.running === true) return;
    const id = ++this.#ids;
    const talk: Talk = { id, question: question.trim(), prompt: "", speakers: [], answers: [], running: true };
    this.#change({ talk, problem: null });
    const request = { id, partners, question, temperature: Number(temperature), ...engineOptions(store.state) };
    service.talk(request).then(
      () => this.#end(id, null),
      (error: unknown) => this.#end(id, problemOf(error)),
    );
  }

  /** Ends the talk; what was said stays. */
  stop(): void {
    this.#page.link.service?.stopTalk().catch((error: unknown) => this.#change({ problem: problemOf(error) }));
  }

  /** Questions to try, of the run on the page or of the settings; asked for once each. */
  async loadExamples(): Promise<void> {
    const { store, link } = this.#page;
    const experiment = experimentOf(store.state);
    const { service } = link;
    if (experiment === undefined || service === undefined) return;
    const examplesOf = exampleKey(store.state);
    if (talkSlice.of(store.state).examplesOf === examplesOf) return;
    this.#change({ examplesOf });
    try {
      const questions = await service.sampleQuestions(experiment, EXAMPLE_POOL);
      const levels = new Map(questions.toReversed().map((one) => [one.level, one]));
      const examples = [...new Set([...levels.values(), ...questions])]
        .slice(0, EXAMPLES)
        .sort((a, b) => a.level.localeCompare(b.level, "en", { numeric: true }));
      this.#change({ examples });
      if (talkSlice.of(store.state).question === "") this.setQuestion(examples[0]?.question ?? "");
    } catch {
      // No examples: what is wrong with the settings is told where they are.
      this.#change({ examples: [] });
    }
  }

  #end(id: number, problem: Problem | null): void {
    this.#page.link.set({ download: null });
    talkSlice.change(this.#page.store, (state) =>
      state.talk?.id === id
        ? {
            ...state,
            problem,
            talk: {
              ...state.talk,
              running: false,
              answers: state.talk.answers.filter(({ answer, tokens }) => answer !== null || tokens.length > 0),
            },
          }
        : state,
    );
  }

  #hear(batch: readonly LoopEvent[]): void {
    const events = batch.flatMap((event) => (event.type === "talk" ? [event] : []));
    if (events.length === 0) return;
    talkSlice.change(this.#page.store, (state) => {
      const { talk } = state;
      if (talk === null) return state;
      const own = events.filter(({ id }) => id === talk.id);
      return { ...state, talk: own.reduce((now, { event }) => afterEvent(now, event), talk) };
    });
  }

  #change(change: Partial<TalkState>): void {
    talkSlice.change(this.#page.store, (state) => ({ ...state, ...change }));
  }
}

/** The page's talk. */
export const talkOf = perPage((page) => new TalkController(page));

/** A talk after an event. Pure. */
export function afterEvent(talk: Talk, event: TalkEvent): Talk {
  if (event.kind === "speakers") {
    const answers = event.speakers.map((): AnswerState => ({ status: "queued", tokens: [], answer: null }));
    return { ...talk, speakers: event.speakers, answers };
  }
  const before = talk.answers[event.speaker];
  if (before === undefined) return talk;
  const after = (answer: AnswerState): Talk => ({ ...talk, answers: talk.answers.with(event.speaker, answer) });
  switch (event.kind) {
    case "waiting":
      return after({ ...before, status: "waiting" });
    case "begins":
      return { ...after({ ...before, status: "speaking" }), prompt: event.prompt };
    case "token":
      return after({ ...before, tokens: [...before.tokens, event.token] });
    case "answer":
      return after({ ...before, status: "done", answer: event.answer });
    default:
      return event satisfies never;
  }
}

/** Whom a question goes to now; undefined while the settings name nobody. */
export function partnersOf(state: AppState): TalkPartners | undefined {
  if (state.race !== null) return { of: "race" };
  const runIds = state.lanes.flatMap(({ run }) => (run === null ? [] : [run.runId]));
  if (runIds.length > 0) return { of: "runs", runIds };
  const experiment = experimentOf(state);
  return experiment === undefined ? undefined : { of: "experiment", experiment };
}

function experimentOf(state: AppState): unknown {
  const run = state.lanes.find((lane) => lane.run !== null)?.run;
  if (run !== null && run !== undefined) return run.config;
  const checked = checkSettings(state.draft);
  return checked.ok ? experimentsOf(checked.settings)[0] : undefined;
}

/** Equal while the examples stay the same. */
export function exampleKey(state: AppState): string {
  const experiment = experimentOf(state) as { readonly task?: unknown; readonly seed?: unknown } | undefined;
  return JSON.stringify([experiment?.task, experiment?.seed]);
}
