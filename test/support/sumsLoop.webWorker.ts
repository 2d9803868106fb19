/** @file A web worker with the loop service over sums and runs in IndexedDB. A question of "crash" breaks it, one of "close" ends it without a word. */
import { exposeLoopService } from "../../src/protocol/expose.ts";
import { IndexedDbLibrary } from "../../src/storage/indexedDb.ts";
import { sumsTask } from "./sums.ts";
import { sumsService } from "./sumsService.ts";

const { service } = sumsService({
  library: new IndexedDbLibrary(self.name),
  createTask: () => {
    const task = sumsTask();
    const prompt = (question: string): string => {
      if (question === "crash")
        setTimeout(() => {
          throw new RangeError("the worker broke");
        });
      if (question === "close") self.close();
      return task.prompt(question);
    };
    return { ...task, prompt };
  },
});
exposeLoopService(service);
