/** @file The set-up form: defaults ready, every field checked as it is typed and explained. Settings apply to the next run. */
import type { ComponentChildren, VNode } from "preact";
import { ChoiceField, errorsOf, NumberField } from "../../components/fields.tsx";
import {
  ACCUMULATION_LABELS,
  ACCUMULATIONS,
  METHOD_LABELS,
  METHODS,
  MIXTURE_LABELS,
  MIXTURES,
  PICKER_LABELS,
  PICKERS,
  PRECISION_LABELS,
  PRECISIONS,
  PROVIDER_LABELS,
  PROVIDERS,
  RESTART_LABELS,
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
  WEIGHTS,
} from "../../choices.ts";
import { RARE_KINDS } from "../../../tasks/rareKinds.ts";
import { formatCount, formatInteger } from "../../format.ts";
import type { CheckedSettings, SettingName, SettingsDraft } from "../../settings.ts";
import { emptyMeans, hasRareKind, isStrangerToTask, LANE_SETTINGS, lanesOf } from "../../settings.ts";

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
  const lanes = lanesOf(draft);
  const errors = errorsOf(checked);
  const field = { draft, errors, onChange };
  return (
    <form class="set-up" onSubmit={(event) => event.preventDefault()} aria-label="Settings of the next run">
      {props.presets}
      <Group title="Questions">
        <div class="fields">
          <ChoiceField {...field} name="task" label="Task" term="task" options={TASKS} labels={TASK_LABELS} />
          {(hasRareKind(draft.task) || draft.mixture !== "task") && (
            <ChoiceField
              {...field}
              name="mixture"
              label="Mixture"
              term="mixture"
              options={MIXTURES}
              labels={MIXTURE_LABELS}
            />
          )}
          <NumberField {...field} name="pool" label="Pool" term="pool" help="Seed questions, scored every round" />
          <NumberField {...field} name="heldOut" label="Held out" term="heldOut" help="Test questions, every round" />
        </div>
        {draft.mixture === "rare" && hasRareKind(draft.task) && (
          <p class="note">
            Rare, and asked: {RARE_KINDS[draft.task]?.about}. New questions are varied only, so that they stay of their
            seed's kind.
          </p>
        )}
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
        />
        {isStrangerToTask(draft) && (
          <p class="notice">
            No built-in student was made for this task: the one for word problems takes its place, and may get hardly
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
          />
          {draft.teacher !== "none" && (
            <ChoiceField
              {...field}
              name="verification"
              label="Verification"
              term="verification"
              options={VERIFICATIONS}
              labels={VERIFICATION_LABELS}
            />
          )}
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
        {draft.teacher === "none" && (
          <p class="note">
            The strategies still choose: each round the student trains on the pairs of the seeds that were picked, as
            they stand in the pool, and no seed is picked again before all were. Nothing new is written, so nothing is
            verified and nothing is sent anywhere.
          </p>
        )}
        {props.teacher}
      </Group>
      <Group title="Lanes">
        <p class="note">
          A race of two to four students, equal but for what is asked for each. Another lane takes as much time again.
        </p>
        <div class="fields">
          {LANE_SETTINGS.slice(0, lanes.length + 1).map((name, index) => (
            <ChoiceField
              key={name}
              {...field}
              name={name}
              label={`${LANE_NAMES[index]} lane`}
              term="strategy"
              options={index < 2 ? STRATEGIES : { "": "Choose a strategy to race one more student", ...STRATEGIES }}
              labels={{ "": "none" }}
            />
          ))}
          <ChoiceField {...field} name="picker" label="Picks" term="picker" options={PICKERS} labels={PICKER_LABELS} />
        </div>
      </Group>
      <Group title="Budget">
        <div class="fields">
          <NumberField {...field} name="rounds" label="Rounds" term="round" help="Times round the loop" />
          <NumberField {...field} name="querySize" label="Query size" term="querySize" help="Seeds picked a round" />
          {draft.teacher !== "none" && (
            <NumberField
              {...field}
              name="perSeed"
              label="New questions"
              term="perSeed"
              help="Asked for each picked seed"
            />
          )}
        </div>
        {checked.ok && <p class="note">{budgetText(checked.settings)}</p>}
      </Group>
      <TrainingGroup {...props} />
      {props.estimate}
    </form>
  );
}

function TrainingGroup({ draft, checked, onChange }: SetUpFormProps): VNode {
  const errors = errorsOf(checked);
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
          labels={PROVIDER_LABELS}
        />
      </div>
      <details class="more" {...(open ? { open: true } : {})}>
        <summary>All training settings</summary>
        <div class="fields">
          <ChoiceField {...field} name="method" label="Trained" term="lora" options={METHODS} labels={METHOD_LABELS} />
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
              <ChoiceField
                {...field}
                name="frozenWeights"
                label="Frozen weights"
                term="frozenWeights"
                options={WEIGHTS}
              />
            </>
          )}
          <ChoiceField
            {...field}
            name="restart"
            label="Each round"
            term="restart"
            options={RESTARTS}
            labels={RESTART_LABELS}
          />
          <ChoiceField
            {...field}
            name="accumulate"
            label="Trains on"
            term="accumulate"
            options={ACCUMULATIONS}
            labels={ACCUMULATION_LABELS}
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
          <ChoiceField {...field} name="scheduler" label="Schedule" term="scheduler" options={SCHEDULERS} />
          <NumberField {...field} name="warmupSteps" label="Warm-up" term="warmup" help="Steps, each round" />
          <NumberField {...field} name="weightDecay" label="Weight decay" term="weightDecay" help="0: none" />
          <NumberField {...field} name="maxGradNorm" label="Clip gradients at" term="clipping" help="Norm; 0: never" />
          <ChoiceField
            {...field}
            name="precision"
            label="Precision"
            term="precision"
            options={PRECISIONS}
            labels={PRECISION_LABELS}
          />
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

const LANE_NAMES = ["First", "Second", "Third", "Fourth"] as const;

const ADVANCED = [
  "method",
  "loraR",
  "loraAlpha",
  "frozenWeights",
  "restart",
  "accumulate",
  "replay",
  "batchSize",
  "gradAccum",
  "scheduler",
  "warmupSteps",
  "weightDecay",
  "maxGradNorm",
  "precision",
  "maxNewTokens",
] as const satisfies readonly SettingName[];

function budgetText({
  rounds,
  querySize,
  perSeed,
  strategies,
  teacher,
  pool,
}: (CheckedSettings & { ok: true })["settings"]): string {
  if (teacher?.name === "none")
    return `At most ${formatCount(Math.min(pool, rounds * querySize), "real pair")} a lane: ${rounds} × ${querySize}, and the pool has ${formatInteger(pool)}.`;
  const pairs = rounds * querySize * perSeed;
  return `At most ${formatInteger(pairs)} pairs a lane, ${formatInteger(pairs * strategies.length)} in all: ${rounds} × ${querySize} × ${perSeed} for each of ${strategies.length} lanes.`;
}

export function Group({ title, children }: { readonly title: string; readonly children: ComponentChildren }): VNode {
  return (
    <fieldset class="group">
      <legend>{title}</legend>
      {children}
    </fieldset>
  );
}
