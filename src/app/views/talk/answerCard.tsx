/** @file One student's answer: its tokens shaded by doubt, what else it might have said in a place, and the checker's word. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { TalkVerdict } from "../../../protocol/loopService.ts";
import type { ChosenToken, TokenProbability } from "../../../student/types.ts";
import { Glyph, LaneMark, VerdictGlyph } from "../../components/icons.tsx";
import { formatCount, formatPercent, NBSP } from "../../format.ts";
import type { AnswerState } from "./talkActions.ts";

export interface AnswerCardProps {
  readonly answer: AnswerState;
  /** Undefined: the untouched student. */
  readonly lane: number | undefined;
  readonly name: string;
  readonly about: string;
}

/** Least probability that is told from smaller ones by shade. */
const LEAST = 0.1;

/** The card. */
export function AnswerCard({ answer: { status, tokens, answer }, lane, name, about }: AnswerCardProps): VNode {
  const [pointed, setPointed] = useState<number | null>(null);
  // Until somebody points: the newest one, and at the end the one that it was least sure of.
  const shown = Math.min(pointed ?? (status === "done" ? leastSure(tokens) : tokens.length - 1), tokens.length - 1);
  const current = tokens[shown];
  return (
    <article class={`answer ${lane === undefined ? "answer-base" : `lane-${lane}`}`} aria-label={`Answer of ${name}`}>
      <header class="answer-head">
        <h3>
          <Glyph>
            {lane === undefined ? <circle class="base-mark" r={5} /> : <LaneMark lane={lane} x={0} y={0} size={10} />}
          </Glyph>
          {name}
        </h3>
        <p class="note">{about}</p>
      </header>
      <p class="answer-text">
        {tokens.map((token, index) => (
          <Token key={index} token={token} current={index === shown} onPoint={() => setPointed(index)} />
        ))}
        {status === "speaking" && <span class="caret" aria-hidden="true" />}
        {tokens.length === 0 && <span class="note">{WAITING_TEXT[status]}</span>}
      </p>
      {current !== undefined && (
        <div class="place">
          <label>
            <span class="hidden">Token of {name}</span>
            <input
              type="range"
              min={1}
              max={tokens.length}
              value={shown + 1}
              disabled={tokens.length < 2}
              aria-valuetext={`token ${shown + 1} of ${tokens.length}: ${spell(current)}, ${shareText(current.probability)}`}
              onInput={(event) => setPointed(Number(event.currentTarget.value) - 1)}
            />
          </label>
          <p class="place-title">
            Token {shown + 1} of {tokens.length}: <q>{spell(current)}</q> {shareText(current.probability)}
          </p>
          <ol class="alternatives" aria-label={`Likeliest tokens in place ${shown + 1}`}>
            {current.alternatives.map((token, index) => (
              <Alternative key={index} token={token} chosen={isChosen(token, current)} />
            ))}
          </ol>
        </div>
      )}
      <footer class="answer-foot">
        {answer !== null && <Outcome verdict={answer.verdict} stopped={answer.finishReason === "stopped"} />}
        {answer !== null && (
          <p class="note">
            {formatCount(answer.tokens, "token")}
            {answer.finishReason === "length"
              ? ", cut at its limit"
              : answer.finishReason === "stopped"
                ? ", stopped"
                : ""}
          </p>
        )}
      </footer>
    </article>
  );
}

function leastSure(tokens: readonly ChosenToken[]): number {
  return tokens.reduce((best, { probability }, i) => (probability < (tokens[best]?.probability ?? 2) ? i : best), 0);
}

/** A share in words; small ones are not none. */
function shareText(probability: number): string {
  return probability > 0 && probability < 0.0005 ? `<${NBSP}0.1${NBSP}%` : formatPercent(probability);
}

const WAITING_TEXT: Readonly<Record<AnswerState["status"], string>> = {
  queued: "waits for its turn",
  waiting: "queued: the race finishes its step first",
  speaking: "",
  done: "said nothing",
};

function Token({
  token,
  current,
  onPoint,
}: {
  readonly token: ChosenToken;
  readonly current: boolean;
  readonly onPoint: () => void;
}): VNode {
  if (token.end)
    return (
      <span
        class={current ? "token token-end token-current" : "token token-end"}
        onMouseEnter={onPoint}
        onClick={onPoint}
      >
        end<span class="hidden"> of the answer</span>
      </span>
    );
  return (
    <span
      class={current ? "token token-current" : "token"}
      style={{ "--doubt": doubtOf(token.probability).toFixed(3) }}
      title={shareText(token.probability)}
      onMouseEnter={onPoint}
      onClick={onPoint}
    >
      {token.text}
    </span>
  );
}

/** `ln p / ln 0.1`, in 0…1: 0 for a certain token, 1 for one of 10 % or less. */
export function doubtOf(probability: number): number {
  return Math.min(1, Math.max(0, Math.log(Math.max(probability, Number.MIN_VALUE)) / Math.log(LEAST)));
}

function Alternative({ token, chosen }: { readonly token: TokenProbability; readonly chosen: boolean }): VNode {
  return (
    <li class={chosen ? "alternative alternative-chosen" : "alternative"}>
      <span class="alternative-text">
        {spell(token)}
        {chosen && <span class="hidden"> (chosen)</span>}
      </span>
      <span class="alternative-bar" aria-hidden="true">
        <span style={{ width: `${(token.probability * 100).toFixed(1)}%` }} />
      </span>
      <span class="alternative-share">{shareText(token.probability)}</span>
    </li>
  );
}

function isChosen(token: TokenProbability, chosen: ChosenToken): boolean {
  return token.text === chosen.text && token.probability === chosen.probability && token.end === chosen.end;
}

/** A token as it can be seen: spaces and line ends have signs. */
function spell({ text, end }: TokenProbability): string {
  if (end) return "end";
  if (text === "") return "part of a character";
  return text.replaceAll(" ", "␣").replaceAll("\n", "⏎");
}

function Outcome({ verdict, stopped }: { readonly verdict: TalkVerdict | null; readonly stopped: boolean }): VNode {
  if (verdict === null)
    return (
      <p class="outcome outcome-unknown">
        {stopped ? "Stopped: not checked." : "Not checked: the task knows no right answer to this question."}
      </p>
    );
  const by = verdict.source === "solver" ? "the task's solver" : "the data";
  return (
    <p class={verdict.correct ? "outcome outcome-right" : "outcome outcome-wrong"}>
      <VerdictGlyph ok={verdict.correct} />
      <span>
        <strong>{verdict.correct ? "Right" : "Wrong"}</strong>:{" "}
        {verdict.correct
          ? `${verdict.expected}, as ${by} has it`
          : `${by} has ${verdict.expected}, it said ${verdict.got ?? "no final answer"}`}
      </span>
    </p>
  );
}
