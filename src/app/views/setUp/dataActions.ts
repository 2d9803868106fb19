/** @file Files of the user's own: read, kept by the worker, looked over again whenever a column or the checker changes. */
import { messageOf } from "../../../core/errors.ts";
import type { DataInspection } from "../../../tasks/custom/settings.ts";
import type { AppState } from "../../appState.ts";
import { CHECKERS } from "../../choices.ts";
import type { SettingsDraft } from "../../settings.ts";
import { defineSlice } from "../../slice.ts";
import type { Store } from "../../store.ts";
import type { WorkerLink } from "../../workerLink.ts";

export interface DataState {
  readonly busy: boolean;
  /** Why a file could not be used. */
  readonly problem: string;
  /** Of the file that the draft names. */
  readonly inspection: DataInspection | null;
}

export const DATA = defineSlice<DataState>({ busy: false, problem: "", inspection: null });

/** Larger files are for the terminal. */
const MAX_FILE_BYTES = 50_000_000;

export interface DataActions {
  /** Takes a file of questions in place of the one before. */
  addFile(file: File): void;
  /** Looks the file over with the draft's columns and checker. */
  inspect(): void;
}

export class DataController implements DataActions {
  readonly #store: Store<AppState>;
  readonly #link: WorkerLink;
  /** Number of the latest look: an older one that ends late changes nothing. */
  #looks = 0;

  constructor(store: Store<AppState>, link: WorkerLink) {
    this.#store = store;
    this.#link = link;
  }

  addFile(file: File): void {
    void this.#look(async (service) => {
      if (file.size > MAX_FILE_BYTES)
        throw new Error(
          `${file.name}: expected at most ${MAX_FILE_BYTES / 1e6} MB, got ${Math.ceil(file.size / 1e6)} MB`,
        );
      const before = this.#store.state.draft;
      const digest = await service.addData({ pool: { name: file.name, text: await file.text() } });
      const expected = before.dataDigest;
      // A link's file keeps what the link says of it.
      const kept = expected === digest && before.dataQuestion !== "";
      const found = await service.inspectData(digest, kept ? settingsOf(before) : {});
      const other = expected !== "" && expected !== digest && before.dataName === file.name;
      return {
        draft: {
          dataName: file.name,
          dataDigest: digest,
          ...(kept ? {} : foundDraft(found)),
          ...fitting(found, before),
        },
        inspection: found,
        problem: other ? "This file is not the one that was named before: its content differs." : "",
      };
    });
  }

  inspect(): void {
    const { draft } = this.#store.state;
    if (draft.dataDigest === "") return;
    void this.#look(async (service) => {
      const found = await service.inspectData(draft.dataDigest, settingsOf(draft));
      return { draft: fitting(found, draft), inspection: found, problem: "" };
    });
  }

  async #look(
    work: (
      service: NonNullable<WorkerLink["service"]>,
    ) => Promise<{ draft: Partial<SettingsDraft>; inspection: DataInspection; problem: string }>,
  ): Promise<void> {
    const look = ++this.#looks;
    const { service } = this.#link;
    if (service === undefined) return;
    DATA.change(this.#store, (data) => ({ ...data, busy: true, problem: "" }));
    try {
      const { draft, inspection, problem } = await work(service);
      if (look !== this.#looks) return;
      this.#store.update((state) => ({ ...state, draft: { ...state.draft, ...draft } }));
      DATA.change(this.#store, () => ({ busy: false, problem, inspection }));
    } catch (error) {
      if (look === this.#looks)
        DATA.change(this.#store, () => ({ busy: false, problem: messageOf(error), inspection: null }));
    }
  }
}

/** What the draft says about the data, as far as it says anything. */
function settingsOf(draft: SettingsDraft) {
  const given = (names: readonly string[]): readonly string[] => names.filter((name) => name !== "");
  const { dataContext, dataQuestion, dataOptions, dataWorking, dataAnswer, dataChecker, dataPattern } = draft;
  const checker = (Object.keys(CHECKERS) as (keyof typeof CHECKERS)[]).find((name) => name === dataChecker);
  return {
    ...(dataQuestion === ""
      ? {}
      : {
          columns: {
            question: given([dataContext, dataQuestion]),
            answer: given([dataWorking, dataAnswer]),
            ...(dataOptions === "" ? {} : { options: dataOptions }),
          },
        }),
    ...(checker === undefined ? {} : { checker }),
    ...(checker === "regex" && dataPattern !== "" ? { pattern: dataPattern } : {}),
  };
}

/** The columns and the checker that were found, as typed. */
function foundDraft({ mapping, settings }: DataInspection): Partial<SettingsDraft> {
  const question = mapping?.question ?? [];
  const answer = mapping?.answer ?? [];
  return {
    dataContext: question.length > 1 ? (question[0] ?? "") : "",
    dataQuestion: question.at(-1) ?? "",
    dataOptions: mapping?.options ?? "",
    dataWorking: answer.length > 1 ? (answer[0] ?? "") : "",
    dataAnswer: answer.at(-1) ?? "",
    dataChecker: settings?.checker ?? "",
    dataPattern: settings?.pattern ?? "",
  };
}

/** Sizes that the data can fill. */
function fitting({ available }: DataInspection, draft: SettingsDraft): Partial<SettingsDraft> {
  if (available === undefined) return {};
  const most = (text: string, size: number): string => (Number(text) > size ? String(size) : text);
  const pool = most(draft.pool, available.pool);
  return { pool, heldOut: most(draft.heldOut, available.test), querySize: most(draft.querySize, Number(pool)) };
}
