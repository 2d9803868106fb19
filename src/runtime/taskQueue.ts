/** @file A queue that runs one task at a time, first in first out. A rejected task never holds up the next. */

export class TaskQueue {
  #tail: Promise<unknown> = Promise.resolve();

  /** Runs `task` after all tasks added before it have settled. @returns what the task returns or rejects with. */
  add<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task);
    // The caller's promise carries the rejection; the queue only waits.
    this.#tail = result.then(ignore, ignore);
    return result;
  }
}

function ignore(): void {}
