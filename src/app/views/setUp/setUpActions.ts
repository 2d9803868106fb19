/** @file What the set-up drawer does: settings as typed, tokens and keys, the teacher's test, folders and kept models. */
import type { PickedFolder } from "../../../hub/types.ts";
import type { PromptEdits } from "../../../teacher/config.ts";
import type { ImportedReplies, PromptsView, TeacherEstimate } from "../../../teacher/types.ts";
import type { LoopService } from "../../../protocol/loopService.ts";
import type { AppState } from "../../appState.ts";
import type { KeptKeys } from "../../keptKeys.ts";
import { originsOf } from "../../origins.ts";
import { applyPreset } from "../../presets.ts";
import { problemOf } from "../../problem.ts";
import { withPrompts } from "../../promptEdits.ts";
import type { SaveFile } from "../../raceActions.ts";
import type { SettingName, SettingsDraft } from "../../settings.ts";
import { checkSettings, experimentsOf } from "../../settings.ts";
import type { Store } from "../../store.ts";
import type { WorkerLink } from "../../workerLink.ts";
import type { DataActions } from "./dataActions.ts";
import { DataController } from "./dataActions.ts";

export interface SetUpActions {
  readonly data: DataActions;
  changeSetting(name: SettingName, value: string): void;
  /** Puts ready-made settings in place of all others. */
  applyPreset(change: Partial<SettingsDraft>): void;
  setToken(token: string): void;
  setTeacherKey(key: string): void;
  /** Keeps the key in this browser from now on, or forgets it there. */
  keepTeacherKey(keep: boolean): void;
  /** What the experiments would ask of their teacher; null while that cannot be said. */
  estimateTeacher(experiments: readonly unknown[]): Promise<TeacherEstimate | null>;
  /** One call of each kind to the teacher of the settings. */
  testTeacher(): void;
  /** The prompts of a task with the visitor's own; null while the worker cannot say. */
  prompts(task: string, edits: PromptEdits): Promise<PromptsView | null>;
  /** Changes one prompt, or puts it back. */
  editPrompt(name: keyof PromptEdits, text: string | null): void;
  /** Hands the visitor every kept reply as one file. */
  exportReplies(): void;
  /** Keeps the replies of such a file; null when that failed, which is told. */
  importReplies(file: Blob): Promise<ImportedReplies | null>;
  pickFolder(folder: PickedFolder): void;
  /** The adapter's folder; null for none. */
  pickAdapterFolder(folder: PickedFolder | null): void;
  deleteModel(id: string, commit: string): void;
}

export class SetUpController implements SetUpActions {
  readonly data: DataActions;
  readonly #store: Store<AppState>;
  readonly #link: WorkerLink;

  readonly #saveFile: SaveFile;

  readonly #keys: KeptKeys;

  constructor(store: Store<AppState>, link: WorkerLink, saveFile: SaveFile, keys: KeptKeys) {
    this.#saveFile = saveFile;
    this.#keys = keys;
    this.#store = store;
    this.#link = link;
    this.data = new DataController(store, link);
  }

  /** Puts the key that is kept for the settings' teacher into its field. */
  recallKey(): void {
    this.#link.set(this.#keyFor(this.#store.state.draft));
  }

  /** Asks which models this browser keeps. */
  async loadModels(service: LoopService): Promise<void> {
    this.#link.set({ models: await service.models() });
  }

  changeSetting(name: SettingName, value: string): void {
    // A key is for the service it was typed for.
    const elsewhere = name === "teacher" || name === "teacherUrl";
    this.#store.update((state) => {
      const draft = { ...state.draft, [name]: value };
      return {
        ...state,
        draft,
        ...(elsewhere ? this.#keyFor(draft) : {}),
        ...(elsewhere || name === "teacherModel" ? { teacherChecks: null } : {}),
      };
    });
    const service = this.#link.service;
    // A list that cannot be read is told when the model is used.
    if (name === "student" && value === "hub" && service !== undefined)
      void this.loadModels(service).catch(() => undefined);
  }

  applyPreset(change: Partial<SettingsDraft>): void {
    this.#store.update((state) => {
      const draft = applyPreset(change, state.draft);
      return { ...state, draft, ...this.#keyFor(draft), teacherChecks: null };
    });
  }

  setToken(hubToken: string): void {
    this.#link.set({ hubToken });
  }

  setTeacherKey(teacherKey: string): void {
    const { draft, teacherKeyKept } = this.#store.state;
    if (teacherKeyKept) this.#keys.write(draft, teacherKey);
    this.#link.set({ teacherKey, teacherChecks: null });
  }

  keepTeacherKey(keep: boolean): void {
    const { draft, teacherKey } = this.#store.state;
    this.#keys.write(draft, keep ? teacherKey : "");
    this.#link.set({ teacherKeyKept: keep });
  }

  /** What is kept for the service of `draft`. */
  #keyFor(draft: SettingsDraft): Pick<AppState, "teacherKey" | "teacherKeyKept"> {
    const teacherKey = this.#keys.read(draft);
    return { teacherKey, teacherKeyKept: teacherKey !== "" };
  }

  async estimateTeacher(experiments: readonly unknown[]): Promise<TeacherEstimate | null> {
    try {
      return (await this.#link.service?.estimateTeacher(experiments)) ?? null;
    } catch {
      // What is wrong with the settings is told at the fields, and when a run is started.
      return null;
    }
  }

  testTeacher(): void {
    void this.#link.attempt("teacher", async () => {
      const { draft, teacherKey, teacherPrompts } = this.#store.state;
      const checked = checkSettings(draft);
      if (!checked.ok) return;
      this.#link.set({ teacherChecks: null });
      const [experiment] = withPrompts(experimentsOf(checked.settings), teacherPrompts);
      // A race in the worker stays as it is.
      const teacherChecks = await this.#link.aside(originsOf([checked.settings]), (service) =>
        service.testTeacher({ experiment, ...(teacherKey === "" ? {} : { teacherKey }) }),
      );
      // Settings that were changed meanwhile are not what was tested.
      if (this.#store.state.draft === draft) this.#link.set({ teacherChecks });
    });
  }

  async prompts(task: string, edits: PromptEdits): Promise<PromptsView | null> {
    try {
      return (await this.#link.service?.prompts(task, edits)) ?? null;
    } catch {
      return null;
    }
  }

  editPrompt(name: keyof PromptEdits, text: string | null): void {
    this.#store.update((state) => {
      const { [name]: _, ...others } = state.teacherPrompts;
      return { ...state, teacherPrompts: text === null ? others : { ...others, [name]: text }, teacherChecks: null };
    });
  }

  exportReplies(): void {
    const { service } = this.#link;
    if (service === undefined) return;
    const save = async (): Promise<void> =>
      this.#saveFile("teacher-replies.jsonl", new TextEncoder().encode(await service.exportReplies()));
    this.#link.tell(save());
  }

  async importReplies(file: Blob): Promise<ImportedReplies | null> {
    const { service } = this.#link;
    try {
      return (await service?.importReplies(await file.text())) ?? null;
    } catch (error) {
      this.#link.set({ problem: problemOf(error) });
      return null;
    }
  }

  pickFolder(folder: PickedFolder): void {
    this.#store.update((state) => ({ ...state, folder, draft: { ...state.draft, folder: folder.name } }));
  }

  pickAdapterFolder(adapterFolder: PickedFolder | null): void {
    const draft = { ...this.#store.state.draft, adapterFolder: adapterFolder?.name ?? "" };
    this.#link.set({ adapterFolder, draft });
  }

  deleteModel(id: string, commit: string): void {
    void this.#link.attempt("storage", async (service) => {
      await service.deleteModel(id, commit);
      await this.loadModels(service);
    });
  }
}
