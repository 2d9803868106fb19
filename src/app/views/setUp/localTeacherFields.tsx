/** @file Fields of a teacher that is a model in the tab: which, at what precision, where it runs. */
import type { VNode } from "preact";
import { ChoiceField, errorsOf, TextField } from "../../components/fields.tsx";
import { TEACHER_DEVICES, TEACHER_DTYPES } from "../../choices.ts";
import { Estimate } from "./teacherEstimate.tsx";
import { PromptFields } from "./promptFields.tsx";
import { ReplyCache } from "./replyCache.tsx";
import type { TeacherFieldsProps } from "./teacherInputs.tsx";
import { TestTeacher } from "./teacherInputs.tsx";
import { TeacherLimits } from "./teacherLimits.tsx";

/** The fields of the teacher "transformers". */
export function LocalTeacherFields({ state, checked, actions }: TeacherFieldsProps): VNode {
  const { draft } = state;
  const field = { draft, errors: errorsOf(checked), onChange: actions.changeSetting.bind(actions) };
  return (
    <div class="teacher">
      <div class="fields">
        <TextField
          {...field}
          name="teacherModel"
          label="Teacher model"
          placeholder="onnx-community/Qwen2.5-0.5B-Instruct"
          help="On the hub, with ONNX files for transformers.js"
        />
        <TextField
          {...field}
          name="teacherUrl"
          label="Address"
          placeholder="https://huggingface.co"
          help="Empty: the hub. Another host of models in its layout"
        />
        <ChoiceField {...field} name="teacherDtype" label="Weights" options={TEACHER_DTYPES} />
        <ChoiceField {...field} name="teacherDevice" label="Runs on" options={TEACHER_DEVICES} />
        <TextField
          {...field}
          name="teacherRequests"
          label="Requests at most"
          help="Of all lanes together, retries included"
        />
      </div>
      <p class="note">
        The model is fetched once and kept by this browser; it costs no money, but time and memory: it answers one
        request at a time. What it says is checked like every teacher's words, and a small model is often wrong.
      </p>
      {checked.ok && <Estimate checked={checked} prompts={state.teacherPrompts} actions={actions} />}
      <TeacherLimits state={state} checked={checked} actions={actions} local />
      <PromptFields state={state} actions={actions} />
      <ReplyCache actions={actions} />
      <TestTeacher state={state} checked={checked} actions={actions} />
    </div>
  );
}
