/** @file The set-up drawer: the form with the fields of the chosen student and teacher, applied to the next run. */
import type { ComponentChildren, VNode } from "preact";
import { useMemo } from "preact/hooks";
import { hasRun } from "../../appState.ts";
import { checkSettings } from "../../settings.ts";
import { DrawerView } from "../../shell/drawer.tsx";
import type { ViewProps } from "../registry.ts";
import { DataFields } from "./dataFields.tsx";
import { CopyLink, Presets } from "./presets.tsx";
import { EstimateGroup } from "./estimateGroup.tsx";
import { SetUpForm } from "./setUpForm.tsx";
import { StudentFields } from "./studentFields.tsx";
import { TeacherFields } from "./teacherFields.tsx";

export interface SetUpDrawerProps extends ViewProps {
  readonly banners: ComponentChildren;
  readonly onClose: () => void;
}

/** The drawer, open. */
export function SetUpDrawer({ state, page, banners, onClose }: SetUpDrawerProps): VNode {
  const { draft } = state;
  const checked = useMemo(() => checkSettings(draft), [draft]);
  const later = hasRun(state);
  return (
    <DrawerView
      title="Set up"
      banners={banners}
      onClose={onClose}
      foot={
        <>
          <p class="note">
            {checked.ok
              ? later
                ? "Changes apply to the next run: press New run to use them."
                : "Ready. Changes are kept in the page's address."
              : "Correct the marked fields to start."}
          </p>
          <div class="buttons">
            <CopyLink draft={draft} />
            <button type="button" class="primary" onClick={onClose}>
              Done
            </button>
          </div>
        </>
      }
    >
      <SetUpForm
        draft={draft}
        checked={checked}
        onChange={(name, value) => page.setUp.changeSetting(name, value)}
        student={<StudentFields state={state} checked={checked} actions={page.setUp} />}
        teacher={<TeacherFields state={state} checked={checked} actions={page.setUp} />}
        presets={<Presets draft={draft} onApply={(change) => page.setUp.applyPreset(change)} />}
        data={
          <DataFields
            state={state}
            checked={checked}
            actions={page.setUp.data}
            onChange={(name, value) => page.setUp.changeSetting(name, value)}
          />
        }
        estimate={<EstimateGroup state={state} checked={checked} page={page} />}
      />
    </DrawerView>
  );
}
