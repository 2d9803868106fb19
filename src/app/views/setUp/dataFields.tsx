/** @file The user's own data: a file dropped or chosen, its first rows, which column means what, how answers are checked, and what is wrong with which row. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { DataInspection } from "../../../tasks/custom/settings.ts";
import type { AppState } from "../../appState.ts";
import { CHECKERS, EXCESS_LENGTH_LABELS, EXCESS_LENGTHS } from "../../choices.ts";
import { ChoiceField, errorsOf, TextField } from "../../components/fields.tsx";
import type { FormProps } from "../../components/fields.tsx";
import { formatCount, formatInteger } from "../../format.ts";
import type { CheckedSettings, SettingName } from "../../settings.ts";
import { DATA } from "./dataActions.ts";
import type { DataActions } from "./dataActions.ts";

export interface DataFieldsProps {
  readonly state: AppState;
  readonly checked: CheckedSettings;
  readonly actions: DataActions;
  readonly onChange: (name: SettingName, value: string) => void;
}

/** The fields; none for a built-in task. */
export function DataFields({ state, checked, actions, onChange }: DataFieldsProps): VNode | null {
  const { draft } = state;
  const { busy, problem, inspection } = DATA.of(state);
  const errors = errorsOf(checked);
  const own = draft.task === "custom";
  const { dataDigest, dataContext, dataQuestion, dataOptions, dataWorking, dataAnswer, dataChecker, dataPattern } =
    draft;
  const said = [dataDigest, dataContext, dataQuestion, dataOptions, dataWorking, dataAnswer, dataChecker, dataPattern];
  useEffect(() => {
    if (own) actions.inspect();
  }, [own, ...said]);
  if (!own) return null;
  return (
    <div class="data">
      <DropFile
        name={draft.dataName}
        busy={busy}
        error={problem === "" ? errors.dataName : problem}
        onFile={(file) => actions.addFile(file)}
      />
      {inspection !== null && (
        <>
          <Preview inspection={inspection} />
          <Columns {...{ draft, errors, onChange, inspection }} />
          <Findings inspection={inspection} />
        </>
      )}
    </div>
  );
}

function DropFile({
  name,
  busy,
  error,
  onFile,
}: {
  readonly name: string;
  readonly busy: boolean;
  readonly error: string | undefined;
  readonly onFile: (file: File) => void;
}): VNode {
  const [over, setOver] = useState(false);
  const take = (files: FileList | null | undefined): void => {
    const file = files?.[0];
    if (file !== undefined) onFile(file);
  };
  return (
    <div
      class={`drop ${over ? "drop-over" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer?.files);
      }}
    >
      <label for="setting-data">
        <strong>{name === "" ? "Drop a file of questions here, or choose one" : name}</strong>
      </label>
      <input
        id="setting-data"
        type="file"
        accept=".jsonl,.json,.csv,.tsv,.txt"
        aria-invalid={error !== undefined}
        aria-describedby="about-data"
        onChange={(event) => take(event.currentTarget.files)}
      />
      <p id="about-data" class={error === undefined ? "field-help" : "field-error"} aria-live="polite">
        {error ??
          (busy
            ? "Reading…"
            : "JSON Lines, a JSON list, or CSV with a line of column names. It stays in this browser: only seeds that are picked go to the teacher you choose.")}
      </p>
    </div>
  );
}

function Preview({ inspection }: { readonly inspection: DataInspection }): VNode {
  const { columns, preview, rows } = inspection;
  return (
    <div class="scroll data-preview" tabIndex={0} role="region" aria-label="First rows of the file">
      <table>
        <caption>
          The first {formatCount(preview.length, "row")} of {formatInteger(rows)}
        </caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {preview.map(({ at, cells }) => (
            <tr key={at}>
              {columns.map((column) => (
                <td key={column}>{cells[column]}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Columns({
  inspection,
  ...field
}: {
  readonly inspection: DataInspection;
} & FormProps): VNode {
  const named = Object.fromEntries(inspection.columns.map((column) => [column, ""]));
  const optional = { "": "", ...named };
  const labels = { "": "none" };
  const { draft } = field;
  return (
    <div class="fields">
      <ChoiceField
        {...field}
        name="dataQuestion"
        label="Question"
        options={draft.dataQuestion === "" ? optional : named}
        labels={{ "": "choose…" }}
        help="The column with the question"
      />
      <ChoiceField
        {...field}
        name="dataAnswer"
        label="Answer"
        options={optional}
        labels={labels}
        help="The column that ends in the final answer"
      />
      <ChoiceField
        {...field}
        name="dataContext"
        label="Text before it"
        options={optional}
        labels={labels}
        help="A passage the question is about"
      />
      <ChoiceField
        {...field}
        name="dataWorking"
        label="Working"
        options={optional}
        labels={labels}
        help="Steps that lead to the answer"
      />
      <ChoiceField
        {...field}
        name="dataOptions"
        label="Choices"
        options={optional}
        labels={labels}
        help="Options A, B, C…"
      />
      <ChoiceField
        {...field}
        name="dataChecker"
        label="Checker"
        term="checker"
        options={draft.dataChecker === "" ? { "": "", ...CHECKERS } : CHECKERS}
        labels={{ "": "choose…" }}
      />
      <ChoiceField
        {...field}
        name="excessLength"
        label="Too long rows"
        options={EXCESS_LENGTHS}
        labels={EXCESS_LENGTH_LABELS}
        help="Rows that do not fit the student's context"
      />
      {draft.dataChecker === "regex" && (
        <TextField
          {...field}
          name="dataPattern"
          label="Pattern"
          maxLength={500}
          help="The last match counts, or its first group: (\\d+)$"
        />
      )}
    </div>
  );
}

function Findings({ inspection }: { readonly inspection: DataInspection }): VNode {
  const { settings, mapping, problem, rowProblems, wrongRows, golds, available, rows } = inspection;
  const missing = mapping === undefined ? "Say which column holds the question." : "Say how answers are checked.";
  return (
    <div class="data-findings" aria-live="polite">
      {settings === undefined && <p class="field-error">{explained(problem, missing)}</p>}
      {settings !== undefined && problem !== undefined && <p class="field-error">{problem}</p>}
      {wrongRows > 0 && (
        <section aria-label="Rows to correct">
          <p class="field-error">
            <strong>
              {formatInteger(wrongRows)} of {formatCount(rows, "row")} cannot be used.
            </strong>{" "}
            Correct the file, or choose other columns or another checker.
          </p>
          <ul class="row-problems">
            {rowProblems.map(({ at, message }) => (
              <li key={at}>{message}</li>
            ))}
            {wrongRows > rowProblems.length && <li>and {formatInteger(wrongRows - rowProblems.length)} more</li>}
          </ul>
        </section>
      )}
      {golds.length > 0 && (
        <section aria-label="How answers are read">
          <h3>How your own answers are read</h3>
          <ul class="golds">
            {golds.map(({ at, question, answer, final, accepted }) => (
              <li key={at}>
                <p>{question}</p>
                <pre>{answer}</pre>
                <p>
                  Final answer: <strong>{final}</strong>
                  {accepted ? "" : " — not accepted as an answer to its own question"}
                </p>
              </li>
            ))}
          </ul>
        </section>
      )}
      {available !== undefined && (
        <p class="note">
          {formatCount(available.pool, "different question")} for the pool, {formatInteger(available.test)} held out for
          the test, {formatInteger(available.validation)} kept for validation. The division depends on the questions
          alone, not on the seed.
        </p>
      )}
    </div>
  );
}

/** The worker's reason without what it advises for the command line. */
function explained(problem: string | undefined, missing: string): string {
  const [reason = ""] = (problem ?? "").split(/\. (?:Name it|Give) /);
  return reason === "" ? missing : `${missing} ${reason}.`;
}
