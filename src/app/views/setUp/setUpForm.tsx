/** @file The set-up form: defaults ready, every field checked as it is typed and explained. Settings apply to the next run. */
import type { ComponentChildren, VNode } from "preact";
import { ChoiceField, NumberField } from "../../components/fields.tsx";
import {
  ACCUMULATIONS,
  METHOD_LABELS,
  METHODS,
  PICKERS,
  PROVIDERS,
  RESTARTS,
  SCHEDULERS,
  STRATEGIES,
  STUDENT_LABELS,
  STUDENTS,
  TASK_LABELS,
  TASKS,
  TEACHER_LABELS,
  TEACHERS,
  VERIFICATION_LABELS,
  VERIFICATIONS,
} from "../../choices.ts";
import { formatInteger } from "../../format.ts";
import type { CheckedSettings, SettingName, SettingsDraft } from "../../settings.ts";
import { emptyMeans, isStrangerToTask } from "../../settings.ts";

export interface SetUpFormProps {
  readonly draft: SettingsDraft;
  readonly checked: CheckedSettings;
  readonly onChange: (name: SettingName, value: string) => void;
  /** Ready-made settings, before everything else. */
  readonly presets: ComponentChildren;
  /** Further fields of the user's own data. */
  readonly data: ComponentChildren;
  /** Further fields of the chosen student. */
  readonly student: ComponentChildren;
  /** Further fields of the chosen teacher. */
  readonly teacher: ComponentChildren;
  /** What the run will take, after everything else. */
  readonly estimate: ComponentChildren;
}

/** The form, in groups. */
export function SetUpForm(props: SetUpFormProps): VNode {
  const { draft, checked, onChange } = props;
  const errors = checked.ok ? {} : checked.errors;
  const field = { draft, errors, onChange };
  return (
    <form class="set-up" onSubmit={(event) => event.preventDefault()} aria-label="Settings of the next run">
      {props.presets}
      <Group title="Questions">
        <div class="fields">
          <ChoiceField
            {...field}
            name="task"
            label="Task"
            term="task"
            options={TASKS}
            labels={TASK_LABELS}
            help={helpOf(TASKS, draft.task)}
          />
          <NumberField {...field} name="pool" label="Pool" term="pool" help="Seed questions, scored every round" />
          <NumberField {...field} name="heldOut" label="Held out" term="heldOut" help="Test questions, every round" />
        </div>
        {props.data}
      </Group>
      <Group title="Student">
        <ChoiceField
          {...field}
          name="student"
          label="Student"
          term="student"
          options={STUDENTS}
          labels={STUDENT_LABELS}
          help={helpOf(STUDENTS, draft.student)}
        />
        {isStrangerToTask(draft) && (
          <p class="notice">
            No built-in student was made for this task: the one for word problems takes its place, and will hardly get
            anything right. Choose a model from the hub or a folder for a fair try.
          </p>
        )}
        {props.student}
      </Group>
      <Group title="Teacher">
        <div class="fields">
          <ChoiceField
            {...field}
            name="teacher"
            label="Teacher"
            term="teacher"
            options={TEACHERS}
            labels={TEACHER_LABELS}
            help={helpOf(TEACHERS, draft.teacher)}
          />
          <ChoiceField
            {...field}
            name="verification"
            label="Verification"
            term="verification"
            options={VERIFICATIONS}
            labels={VERIFICATION_LABELS}
            help={helpOf(VERIFICATIONS, draft.verification)}
          />
          {draft.teacher === "solver" && (
            <NumberField
              {...field}
              name="errorRate"
              label="Error rate"
              term="errorRate"
              help="0: exact; 0.4: wrong in 40 % of its pairs"
            />
          )}
        </div>
        {props.teacher}
      </Group>
      <Group title="Lanes">
        <div class="fields">
          <ChoiceField
            {...field}
            name="strategyA"
            label="First lane"
            term="strategy"
            options={STRATEGIES}
            help={helpOf(STRATEGIES, draft.strategyA)}
          />
          <ChoiceField
            {...field}
            name="strategyB"
            label="Second lane"
            term="strategy"
            options={STRATEGIES}
            help={helpOf(STRATEGIES, draft.strategyB)}
          />
          <ChoiceField
            {...field}
            name="picker"
            label="Picks"
            term="picker"
            options={PICKERS}
            help={helpOf(PICKERS, draft.picker)}
          />
        </div>
      </Group>
      <Group title="Budget">
        <div class="fields">
          <NumberField {...field} name="rounds" label="Rounds" term="round" help="Times round the loop" />
          <NumberField {...field} name="querySize" label="Query size" term="querySize" help="Seeds picked a round" />
          <NumberField
            {...field}
            name="perSeed"
            label="New questions"
            term="perSeed"
            help="Asked for each picked seed"
          />
        </div>
        {checked.ok && <p class="note">{budgetText(checked.settings)}</p>}
      </Group>
      <TrainingGroup {...props} />
      {props.estimate}
    </form>
  );
}

function TrainingGroup({ draft, checked, onChange }: SetUpFormProps): VNode {
  const errors = checked.ok ? {} : checked.errors;
  const field = { draft, errors, onChange };
  const empty = emptyMeans(draft);
  const lora = draft.method === "lora" || (draft.method === "auto" && draft.student !== "built-in");
  // A field that needs a correction is never folded away.
  const open = ADVANCED.some((name) => errors[name] !== undefined);
  return (
    <Group title="Training">
      <div class="fields">
        <NumberField {...field} name="epochs" label="Epochs" term="epochs" help="Passes over the pairs, each round" />
        <NumberField
          {...field}
          name="learningRate"
          label="Learning rate"
          term="learningRate"
          placeholder={empty.learningRate}
          help={`Empty: ${empty.learningRate}`}
        />
        <NumberField {...field} name="seed" label="Seed" term="seed" help="Same seed, same run" />
        <ChoiceField
          {...field}
          name="provider"
          label="Engine"
          term="engine"
          options={PROVIDERS}
          help={helpOf(PROVIDERS, draft.provider)}
        />
      </div>
      <details class="more" {...(open ? { open: true } : {})}>
        <summary>All training settings</summary>
        <div class="fields">
          <ChoiceField
            {...field}
            name="method"
            label="Trained"
            term="lora"
            options={METHODS}
            labels={METHOD_LABELS}
            help={helpOf(METHODS, draft.method)}
          />
          {lora && (
            <>
              <NumberField
                {...field}
                name="loraR"
                label="Rank r"
                term="loraR"
                placeholder={empty.loraR}
                help={`Empty: ${empty.loraR}`}
              />
              <NumberField
                {...field}
                name="loraAlpha"
                label="Alpha"
                term="loraAlpha"
                placeholder={empty.loraAlpha}
                help={`Empty: ${empty.loraAlpha}, twice the rank`}
              />
            </>
          )}
          <ChoiceField
            {...field}
            name="restart"
            label="Each round"
            term="restart"
            options={RESTARTS}
            help={helpOf(RESTARTS, draft.restart)}
          />
          <ChoiceField
            {...field}
            name="accumulate"
            label="Trains on"
            term="accumulate"
            options={ACCUMULATIONS}
            help={helpOf(ACCUMULATIONS, draft.accumulate)}
          />
          <NumberField {...field} name="replay" label="Replay" term="replay" help="Seed pairs mixed in per new pair" />
          <NumberField
            {...field}
            name="batchSize"
            label="Batch size"
            term="batch"
            placeholder={empty.batchSize}
            help={`Pairs a micro-step. Empty: ${empty.batchSize}`}
          />
          <NumberField
            {...field}
            name="gradAccum"
            label="Accumulation"
            term="accumulation"
            help="Micro-steps a step of the optimizer"
          />
          <ChoiceField
            {...field}
            name="scheduler"
            label="Schedule"
            term="scheduler"
            options={SCHEDULERS}
            help={helpOf(SCHEDULERS, draft.scheduler)}
          />
          <NumberField {...field} name="warmupSteps" label="Warm-up" term="warmup" help="Steps, each round" />
          <NumberField {...field} name="weightDecay" label="Weight decay" term="weightDecay" help="0: none" />
          <NumberField {...field} name="maxGradNorm" label="Clip gradients at" term="clipping" help="Norm; 0: never" />
          <NumberField
            {...field}
            name="maxNewTokens"
            label="Answer length"
            term="maxNewTokens"
            help="Tokens. Empty: as the task needs"
          />
        </div>
      </details>
    </Group>
  );
}

const ADVANCED = [
  "method",
  "loraR",
  "loraAlpha",
  "restart",
  "accumulate",
  "replay",
  "batchSize",
  "gradAccum",
  "scheduler",
  "warmupSteps",
  "weightDecay",
  "maxGradNorm",
  "maxNewTokens",
] as const satisfies readonly SettingName[];

function budgetText({ rounds, querySize, perSeed, strategies }: (CheckedSettings & { ok: true })["settings"]): string {
  const pairs = rounds * querySize * perSeed;
  return `At most ${formatInteger(pairs)} pairs a lane, ${formatInteger(pairs * strategies.length)} in all: ${rounds} × ${querySize} × ${perSeed} for each of ${strategies.length} lanes.`;
}

function helpOf(options: Readonly<Record<string, string>>, value: string): string {
  return Object.hasOwn(options, value) ? (options[value] ?? "") : "";
}

export function Group({ title, children }: { readonly title: string; readonly children: ComponentChildren }): VNode {
  return (
    <fieldset class="group">
      <legend>{title}</legend>
      {children}
    </fieldset>
  );
}
