/** @file One pair whole: its texts, its seed, the check, the cost, and what a person may decide about it. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { formatInteger, formatNats, formatUsd } from "../../format.ts";
import type { Problem } from "../../problem.ts";
import { DrawerView } from "../../shell/drawer.tsx";
import type { DataController } from "./dataActions.ts";
import type { TableRow } from "./pairTable.ts";
import { fateOf, tokensOf } from "./pairTable.ts";

export interface PairDetailsProps {
  readonly row: TableRow;
  /** No training follows in the row's run. */
  readonly ended: boolean;
  readonly saving: boolean;
  readonly problem: Problem | null;
  readonly actions: DataController;
}

/** The drawer. */
export function PairDetails({ row, ended, saving, problem, actions }: PairDetailsProps): VNode {
  const [editing, setEditing] = useState(false);
  const { made, now, seed, before, after, run, intervention } = row;
  const byHand = intervention !== undefined && intervention.action !== "restore";
  const banner = problem !== null && (
    <div class="banner banner-error" role="alert">
      <p>{problem.message}</p>
    </div>
  );
  return (
    <DrawerView
      title={`Pair ${made.id}`}
      banners={banner}
      onClose={() => actions.select(null)}
      foot={
        editing ? undefined : (
          <Decisions
            row={row}
            byHand={byHand}
            ended={ended}
            saving={saving}
            actions={actions}
            onEdit={() => setEditing(true)}
          />
        )
      }
    >
      <div class="pair-details">
        {editing ? (
          <EditForm row={row} saving={saving} actions={actions} onDone={() => setEditing(false)} />
        ) : (
          <dl class="facts">
            <Fact name="Question">{now.question === "" ? "(no question)" : now.question}</Fact>
            <Fact name="Worked answer" mono>
              {now.answer === "" ? "(no answer)" : now.answer}
            </Fact>
            {now.question !== made.question && <Fact name="Question as the teacher wrote it">{made.question}</Fact>}
            {now.answer !== made.answer && (
              <Fact name="Answer as the teacher wrote it" mono>
                {made.answer}
              </Fact>
            )}
          </dl>
        )}
        <dl class="facts facts-small">
          <Fact name="Outcome">{`${fateOf(row)}: ${now.reason}`}</Fact>
          {intervention !== undefined && (
            <Fact name="By hand">{`${intervention.action}, ${dateText(intervention.at)}; holds from the training of round ${intervention.round} on`}</Fact>
          )}
          <Fact name="Made in">{`round ${made.round}, lane ${run.name}`}</Fact>
          <Fact name="From the seed">
            {`${made.seedId}, ${made.operation}${made.level === undefined ? "" : ` to ${made.level}`}`}
          </Fact>
          {seed !== null && <Fact name="The seed's question">{seed.question}</Fact>}
          {seed !== null && (
            <Fact name="The seed's answer" mono>
              {seed.answer}
            </Fact>
          )}
          {made.seedScore !== undefined && (
            <Fact name="Why it was picked">{`score ${made.seedScore.toFixed(3)}${made.seedRank === undefined ? "" : `, rank ${made.seedRank}`} by ${run.name}`}</Fact>
          )}
          <Fact name="Teacher">{`${made.usage.requests} calls, ${formatInteger(tokensOf(row))} tokens, ${formatUsd(made.usage.costUsd)}`}</Fact>
        </dl>
        <table class="before-after">
          <caption>The student on the seed</caption>
          <thead>
            <tr>
              <td />
              <th scope="col">when it was picked</th>
              <th scope="col">a round later</th>
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">Loss on the worked answer, nats per token</th>
              <td>{formatNats(before?.trueLoss)}</td>
              <td>{formatNats(after?.trueLoss)}</td>
            </tr>
            <tr>
              <th scope="row">Loss on its own answer, nats per token</th>
              <td>{formatNats(before?.ownLoss)}</td>
              <td>{formatNats(after?.ownLoss)}</td>
            </tr>
            <tr>
              <th scope="row">Its own answer</th>
              <td>{rightText(before?.correct)}</td>
              <td>{rightText(after?.correct)}</td>
            </tr>
          </tbody>
        </table>
      </div>
    </DrawerView>
  );
}

function rightText(correct: boolean | undefined): string {
  return correct === undefined ? "–" : correct ? "right" : "wrong";
}

function dateText(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? "at an unknown time" : date.toLocaleString();
}

function Fact({
  name,
  mono = false,
  children,
}: {
  readonly name: string;
  readonly mono?: boolean;
  readonly children: string;
}): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={mono ? "worked" : ""}>{children}</dd>
    </div>
  );
}

function Decisions({
  row,
  byHand,
  ended,
  saving,
  actions,
  onEdit,
}: {
  readonly row: TableRow;
  readonly byHand: boolean;
  readonly ended: boolean;
  readonly saving: boolean;
  readonly actions: DataController;
  readonly onEdit: () => void;
}): VNode {
  const [reason, setReason] = useState("");
  const { now } = row;
  return (
    <div class="decisions">
      {ended && (
        <p class="note">
          This run has ended: a decision is recorded and changes the data set you download, but no training follows.
        </p>
      )}
      <div class="buttons">
        <button type="button" disabled={saving} onClick={onEdit}>
          Edit
        </button>
        {byHand && (
          <button type="button" disabled={saving} onClick={() => void actions.decide(row, { action: "restore" })}>
            Restore
          </button>
        )}
        {now.accepted && (
          <form
            class="reject"
            onSubmit={(event) => {
              event.preventDefault();
              void actions.decide(row, { action: "reject", reason });
            }}
          >
            <button type="submit" disabled={saving}>
              Reject
            </button>
            <input
              type="text"
              aria-label="Why it is rejected (optional)"
              placeholder="why (optional)"
              maxLength={500}
              value={reason}
              onInput={(event) => setReason(event.currentTarget.value)}
            />
          </form>
        )}
      </div>
    </div>
  );
}

function EditForm({
  row,
  saving,
  actions,
  onDone,
}: {
  readonly row: TableRow;
  readonly saving: boolean;
  readonly actions: DataController;
  readonly onDone: () => void;
}): VNode {
  const [question, setQuestion] = useState(row.now.question);
  const [answer, setAnswer] = useState(row.now.answer);
  const save = async (): Promise<void> => {
    if (await actions.decide(row, { action: "edit", question, answer })) onDone();
  };
  return (
    <form
      class="edit"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <label>
        Question
        <textarea
          rows={4}
          maxLength={20_000}
          value={question}
          onInput={(event) => setQuestion(event.currentTarget.value)}
        />
      </label>
      <label>
        Worked answer
        <textarea
          class="worked"
          rows={7}
          maxLength={20_000}
          value={answer}
          onInput={(event) => setAnswer(event.currentTarget.value)}
        />
      </label>
      <p class="note">
        An edit is checked as a teacher's pair is. The original stays in the run's record, and the student trains on the
        edit from its next training on.
      </p>
      <div class="buttons">
        <button type="submit" class="primary" disabled={saving}>
          Save
        </button>
        <button type="button" onClick={onDone}>
          Cancel
        </button>
      </div>
    </form>
  );
}
