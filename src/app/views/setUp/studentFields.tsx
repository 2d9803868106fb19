/** @file Fields of a student that is not built in: the hub's model or a folder, an adapter for it, a token, what this browser keeps. */
import type { VNode } from "preact";
import type { CachedModel, PickedFolder } from "../../../hub/types.ts";
import type { AppState } from "../../appState.ts";
import { errorsOf, FieldBox, SecretField, TextField } from "../../components/fields.tsx";
import { formatBytes, formatCount } from "../../format.ts";
import type { CheckedSettings } from "../../settings.ts";
import type { SetUpActions } from "./setUpActions.ts";

export interface StudentFieldsProps {
  readonly state: AppState;
  readonly checked: CheckedSettings;
  readonly actions: SetUpActions;
}

/** The fields that the chosen kind of student needs; none for the built-in one. */
export function StudentFields({ state, checked, actions }: StudentFieldsProps): VNode | null {
  const { student } = state.draft;
  if (student !== "hub" && student !== "folder") return null;
  return (
    <div class="student">
      {student === "hub" ? (
        <HubFields state={state} checked={checked} actions={actions} />
      ) : (
        <FolderField
          name="folder"
          label="Folder"
          folder={state.folder}
          error={errorsOf(checked).folder}
          reads="config.json, weights as safetensors and tokenizer.json are"
          onPick={(folder) => actions.pickFolder(folder)}
        />
      )}
      <AdapterFields state={state} checked={checked} actions={actions} />
      {(student === "hub" || state.draft.adapter !== "") && <HubExtras state={state} actions={actions} />}
      <p class="note">
        Students of this kind learn by a low-rank adapter. They are larger than the built-in one: a round takes minutes
        where that takes seconds, and its questions may be too easy or too hard for them. A small pool and few held-out
        questions are a good start.
      </p>
    </div>
  );
}

function HubFields({ state: { draft }, checked, actions }: StudentFieldsProps): VNode {
  return (
    <div class="fields">
      <TextField
        draft={draft}
        errors={errorsOf(checked)}
        onChange={actions.changeSetting.bind(actions)}
        name="model"
        label="Student model"
        placeholder="HuggingFaceTB/SmolLM2-135M"
        help="org/name, or org/name@revision"
      />
    </div>
  );
}

/** An adapter that the student starts with, from the hub or a folder; none by default. */
function AdapterFields({ state: { draft, adapterFolder }, checked, actions }: StudentFieldsProps): VNode {
  const errors = errorsOf(checked);
  return (
    <>
      <div class="fields">
        <TextField
          draft={draft}
          errors={errors}
          onChange={actions.changeSetting.bind(actions)}
          name="adapter"
          label="Adapter"
          term="adapter"
          placeholder="none"
          help="A PEFT adapter made for this student, as org/name or org/name@revision: the student starts with it, and trains it further"
        />
      </div>
      <FolderField
        name="adapterFolder"
        label="or an adapter's folder"
        folder={adapterFolder}
        error={errors.adapterFolder}
        reads="adapter_config.json and adapter_model.safetensors are"
        onPick={(folder) => actions.pickAdapterFolder(folder)}
      />
      {adapterFolder !== null && (
        <button type="button" onClick={() => actions.pickAdapterFolder(null)}>
          No adapter folder
        </button>
      )}
    </>
  );
}

/** What everything of the hub shares: the token, and the models that are kept. */
function HubExtras({ state, actions }: Omit<StudentFieldsProps, "checked">): VNode {
  const { hubToken, models, pending, race } = state;
  return (
    <>
      <div class="fields">
        <SecretField
          name="token"
          label="Token"
          value={hubToken}
          help="Only for private and gated models. Sent to the hub alone, never stored"
          onChange={(token) => actions.setToken(token)}
        />
      </div>
      {models !== null && models.length > 0 && (
        <ModelList
          models={models}
          busy={pending !== null}
          used={race?.lanes.flatMap(({ config }) => [config.student, config.adapter ?? ""]) ?? []}
          actions={actions}
        />
      )}
    </>
  );
}

function ModelList({
  models,
  busy,
  used,
  actions,
}: {
  readonly models: readonly CachedModel[];
  readonly busy: boolean;
  /** Students and adapters of the race that is open, which reads their files. */
  readonly used: readonly string[];
  readonly actions: SetUpActions;
}): VNode {
  const total = models.reduce((sum, { bytes }) => sum + bytes, 0);
  return (
    <section aria-label="Models in this browser">
      <p>
        <strong>In this browser</strong>: {formatBytes(total)}
      </p>
      <ul class="models">
        {models.map(({ id, commit, bytes, complete, kinds }) => (
          <li key={`${id}@${commit}`}>
            <span>
              {id}@{commit.slice(0, 8)}, {formatBytes(bytes)}
              {complete ? "" : ", unfinished"}
              {isAdapter(kinds) ? ", adapter" : ""}
            </span>
            <button
              type="button"
              disabled={busy}
              onClick={() => actions.changeSetting(isAdapter(kinds) ? "adapter" : "model", `${id}@${commit}`)}
            >
              Use
            </button>
            <button
              type="button"
              disabled={busy || used.includes(`hub:${id}@${commit}`)}
              title="A model in use can be deleted after New run"
              aria-label={`Delete ${id} at ${commit.slice(0, 8)}`}
              onClick={() => actions.deleteModel(id, commit)}
            >
              Delete
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Whether what is kept of a repository is an adapter alone. */
function isAdapter(kinds: CachedModel["kinds"]): boolean {
  return kinds.includes("adapter") && !kinds.includes("student");
}

function FolderField({
  name,
  label,
  folder,
  error,
  reads,
  onPick,
}: {
  readonly name: "folder" | "adapterFolder";
  readonly label: string;
  readonly folder: PickedFolder | null;
  readonly error: string | undefined;
  /** The files that are taken from it, with the verb. */
  readonly reads: string;
  readonly onPick: (folder: PickedFolder) => void;
}): VNode {
  const [id, about] = [`setting-${name}`, `about-${name}`];
  return (
    <FieldBox
      id={id}
      about={about}
      label={label}
      error={error}
      help={folder === null ? "" : `${folder.name}, ${formatCount(folder.files.length, "file")}: ${reads} read from it`}
    >
      <input
        id={id}
        type="file"
        // Not in the DOM's types, in every browser.
        {...{ webkitdirectory: true }}
        multiple
        aria-invalid={error !== undefined}
        aria-describedby={about}
        onChange={(event) => {
          const picked = readFolder(event.currentTarget.files);
          if (picked !== undefined) onPick(picked);
        }}
      />
    </FieldBox>
  );
}

/** The picked files by their path inside the folder. Hidden folders (.git, .cache) are left out. */
function readFolder(list: FileList | null): PickedFolder | undefined {
  const files = [...(list ?? [])].map((file) => {
    const [name = "folder", ...path] = file.webkitRelativePath.split("/");
    return { name, path: path.join("/"), file };
  });
  const [first] = files;
  if (first === undefined) return undefined;
  const shown = files.filter(({ path }) => path !== "" && !path.split("/").some((part) => part.startsWith(".")));
  return { name: first.name, files: shown.map(({ path, file }) => ({ path, file })) };
}
