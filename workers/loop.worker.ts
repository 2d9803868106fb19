/**
 * @file The loop worker of the page: the service on its real parts, an ONNX Runtime
 * engine, students fetched by address or from the hub, the registries, IndexedDB. Wiring only.
 */
import teacherWorkerUrl from "./teacher.worker.ts?worker&url";
import { urlSource, type FileSource } from "../src/formats/fileSource.ts";
import { engineDownload } from "../src/hub/engineDownload.ts";
import { ModelCache } from "../src/hub/modelCache.ts";
import { opfsFiles } from "../src/hub/opfsFiles.ts";
import { TabStudents } from "../src/hub/tabStudents.ts";
import { sha256Hex } from "../src/hub/hash.ts";
import { createDataShelf } from "../src/loop/dataShelf.ts";
import { LoopServiceImpl } from "../src/loop/service.ts";
import { studentName } from "../src/loop/studentName.ts";
import { exposeLoopService } from "../src/protocol/expose.ts";
import { availableProviders, createEngine } from "../src/runtime/createEngine.ts";
import { IndexedDbLibrary } from "../src/storage/indexedDb.ts";
import { indexedDbDataFiles } from "../src/storage/dataFilesDb.ts";
import { indexedDbReplyCache } from "../src/storage/replyCacheDb.ts";
import { packRuns, unpackRuns, zipFiles } from "../src/storage/runArchive.ts";
import { BUILTIN_STUDENT_FILES, builtinStudentFolder, isBuiltinStudent } from "../src/student/builtinFiles.ts";
import { deviceSelfTest } from "../src/student/deviceSelfTest.ts";
import { packStudent } from "../src/student/packStudent.ts";
import { describeStudent, openStudent } from "../src/student/student.ts";
import { CUSTOM } from "../src/tasks/custom/custom.ts";
import { createTask } from "../src/tasks/registry.ts";
import { connectLocalModel } from "../src/teacher/local/localWorker.ts";
import { LocalShelf } from "../src/teacher/local/localShelf.ts";
import { createTeacher } from "../src/teacher/registry.ts";

// One folder above the worker's own, when served from sources (/workers) and when built (/assets).
const root = new URL(/* @vite-ignore */ "..", import.meta.url);

/** A built-in student (see `builtinStudentFolder`), an absolute address, or a path below the page's. */
function pageSource(name: string, task: string): FileSource {
  return isBuiltinStudent(name)
    ? urlSource(new URL(`${builtinStudentFolder(name, task)}/`, root), { files: BUILTIN_STUDENT_FILES })
    : urlSource(new URL(name, root));
}

/** Files of a student that needs no download and no choice; undefined for others. */
async function sourceAtHand(name: string, task: string): Promise<FileSource | undefined> {
  return name.includes(":") && !isBuiltinStudent(name) ? students.sourceAtHand(name) : pageSource(name, task);
}

const replies = indexedDbReplyCache();
const ownData = createDataShelf(indexedDbDataFiles(), sha256Hex);
const students = new TabStudents(new ModelCache(opfsFiles("models")));

/** A worker of its own for a model in the tab: of a blob, so that it may connect where this one may and nowhere else. */
function startTeacherWorker(): Worker {
  const script = `import ${JSON.stringify(new URL(teacherWorkerUrl, import.meta.url).href)};`;
  const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  return new Worker(address, { type: "module", name: "teacher" });
}
const localModels = new LocalShelf(() => connectLocalModel(startTeacherWorker()));

exposeLoopService(
  new LoopServiceImpl({
    library: new IndexedDbLibrary(),
    archiver: { pack: packRuns, unpack: unpackRuns, zip: zipFiles },
    providers: async () =>
      (await availableProviders()).map((provider) => {
        const reason = provider.available ? provider.note : provider.reason;
        return { ep: provider.ep, available: provider.available, ...(reason === undefined ? {} : { reason }) };
      }),
    openEngine: (ep, { onProgress, signal }) => {
      const told = engineDownload(onProgress);
      return createEngine(ep, {
        selfTest: deviceSelfTest,
        signal,
        onEvent: (event) => event.type === "download" && told(event.file, event.loadedBytes, event.totalBytes),
      });
    },
    openStudent: async (engine, { student: base, adapter, training, seed, task }, warn) => {
      const student = await openStudent(engine, {
        source: (await students.source(base)) ?? pageSource(base, task.name),
        ...(adapter === undefined ? {} : { adapter: await students.adapter(adapter) }),
        method: training.method,
        seed,
        onWarning: warn,
      });
      return {
        student,
        name: studentName(base, adapter),
        pack: (format) => packStudent(student, format),
        needs: (rows, options) => student.trainingNeeds(rows, options),
      };
    },
    describeStudent: async (config) => {
      const source = await sourceAtHand(config.student, config.task.name);
      const adapter = config.adapter === undefined ? undefined : await students.sourceAtHand(config.adapter, "adapter");
      if (source === undefined || (config.adapter !== undefined && adapter === undefined)) return undefined;
      const { seed, training } = config;
      return describeStudent({ source, method: training.method, seed, ...(adapter === undefined ? {} : { adapter }) });
    },
    students,
    replies,
    createTask: async ({ task: { name, mixture, poolMixture, data } }) => {
      const custom = data === undefined ? undefined : await ownData.options(data);
      return createTask(name, { mixture, poolMixture, [CUSTOM]: custom });
    },
    data: ownData,
    createTeacher: ({ teacher }, task, key) =>
      createTeacher(teacher, task, { key, cache: replies, holdModel: (model) => localModels.hold(model) }),
  }),
);
