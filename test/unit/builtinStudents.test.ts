/** @file The built-in students as they are shipped: their files, their size, and that they know easy questions better than hard ones. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { builtinStudentDirectory } from "../../src/cli/builtinStudent.ts";
import { Rng } from "../../src/core/rng.ts";
import { directorySource } from "../../src/formats/node/directorySource.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import {
  BUILTIN_STUDENT_FILES,
  BUILTIN_STUDENT_TASKS,
  builtinStudentFolder,
  isBuiltinStudent,
} from "../../src/student/builtinFiles.ts";
import { openStudent } from "../../src/student/student.ts";
import { answerTokens, createTask, taskNames } from "../../src/tasks/registry.ts";
import type { Question } from "../../src/tasks/types.ts";
import { CPU, runCli, Workspace } from "../support/runCli.ts";

/** What a page loads before a run starts. */
const MAX_BYTES = 2_500_000;
const SAMPLE = 64;
/** What each must at least get right of its easiest questions, and may at most of its hardest. */
const BOUNDS: Readonly<Record<string, readonly [number, number]>> = {
  game24: [0.12, 0.2],
  prontoqa: [0.6, 0.7],
};
const OTHER_BOUNDS = [0.35, 0.75] as const;

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine("cpu", { threads: 1 });
});
afterAll(async () => {
  await engine.dispose();
});

describe("the name of a built-in student", () => {
  it("is the task's own, or the one that is asked for", () => {
    expect(builtinStudentFolder("builtin")).toBe("student");
    expect(builtinStudentFolder("builtin", "word-problems")).toBe("student");
    for (const task of ["algebra", "game24", "prontoqa"])
      expect(builtinStudentFolder("builtin", task)).toBe(`students/${task}`);
    expect(builtinStudentFolder("builtin:algebra", "word-problems")).toBe("students/algebra");
    expect(builtinStudentFolder("builtin:word-problems", "algebra")).toBe("student");
  });

  it("means the one for word problems where a task has none", () => {
    expect(builtinStudentFolder("builtin", "custom")).toBe("student");
  });

  it("is refused for a task without one, naming those that have one", () => {
    for (const name of ["builtin:chess", "builtin:", "builtin:custom", "builtin:toString"])
      expect(() => builtinStudentFolder(name)).toThrow(
        `student: expected builtin, or builtin:TASK with one of ${BUILTIN_STUDENT_TASKS.join(", ")}, got ${name}`,
      );
  });

  it("is told from paths and models on a hub", () => {
    expect(["builtin", "builtin:algebra", "builtin:chess"].map(isBuiltinStudent)).toEqual([true, true, true]);
    expect(["./builtin", "builtins", "org/builtin", "hub:builtin"].map(isBuiltinStudent)).toEqual(
      Array.from({ length: 4 }, () => false),
    );
  });

  it("is that of a task that exists", () => {
    expect(taskNames).toEqual(expect.arrayContaining([...BUILTIN_STUDENT_TASKS]));
  });
});

describe.each(BUILTIN_STUDENT_TASKS)("the built-in student of %s", (name) => {
  const directory = builtinStudentDirectory("builtin", name);

  it("is small, in float16, with a card, a log of its training, and no file that a page would not look for", () => {
    const files = readdirSync(directory);
    expect(files.toSorted()).toEqual([...BUILTIN_STUDENT_FILES, "README.md", "training.json"].toSorted());
    const bytes = files.reduce((sum, file) => sum + statSync(join(directory, file)).size, 0);
    expect(bytes).toBeLessThan(MAX_BYTES);
    const config = JSON.parse(readFileSync(join(directory, "config.json"), "utf8")) as Record<string, unknown>;
    expect(config).toMatchObject({ model_type: "llama", torch_dtype: "float16", eos_token_id: 0 });
    const card = readFileSync(join(directory, "README.md"), "utf8");
    expect(card).toMatch(/^---\nlicense: mit\n/);
    for (const level of createTask(name).levels) expect(card).toContain(`${level} |`);
  });

  it("encodes every question and worked answer of the default mixture within its context, and any other text", async () => {
    const student = await openStudent(engine, { source: directorySource(directory) });
    try {
      const task = createTask(name);
      const { pool } = task.splits({ pool: 150, validation: 0, test: 0 }, new Rng(3));
      for (const question of pool) {
        const row = student.encode({ prompt: task.prompt(question.question), completion: task.completion(question) });
        expect(row.ids.length).toBeLessThanOrEqual(student.maxPositions);
        expect(row.completionTokens).toBeLessThanOrEqual(answerTokens(name));
      }
      expect(student.encode({ prompt: "Ünïcode 漢字 🙂?\n", completion: "↯" }).ids.length).toBeGreaterThan(8);
    } finally {
      await student.dispose();
    }
  });

  it("answers easy questions above hard ones, and neither all nor none", async () => {
    const levelTask = createTask(name);
    const [easiest = "", hardest = ""] = [levelTask.levels[0], levelTask.levels.at(-1)];
    const student = await openStudent(engine, { source: directorySource(directory) });
    const accuracy = async (level: string): Promise<number> => {
      const task = createTask(name, { [name]: { levels: { [level]: 1 } } });
      const { validation } = task.splits({ pool: 0, validation: SAMPLE, test: 0 }, new Rng(77));
      const answers = await student.generate(
        validation.map((question: Question) => task.prompt(question.question)),
        { maxNewTokens: answerTokens(name) },
      );
      const right = validation.filter((question, i) => {
        const answer = answers[i]?.completion ?? "";
        // True or False can be guessed: there the whole proof counts.
        return name === "prontoqa"
          ? task.verify({ question: question.question, answer }).correct
          : task.check(question, answer).correct;
      });
      return right.length / SAMPLE;
    };
    try {
      const [easy, hard] = [await accuracy(easiest), await accuracy(hardest)];
      const [atLeast, atMost] = BOUNDS[name] ?? OTHER_BOUNDS;
      expect(easy).toBeGreaterThan(hard + 0.1);
      expect(easy).toBeGreaterThan(atLeast);
      expect(hard).toBeLessThan(atMost);
    } finally {
      await student.dispose();
    }
  });
});

describe("on the command line", () => {
  it("the loop takes the student of its task, and keeps its name so that the run goes on from anywhere", async () => {
    const space = new Workspace();
    try {
      const sizes = "--pool 4 --validation 0 --test 12 --rounds 0 --seed 3".split(" ");
      const loop = async (out: string, ...args: readonly string[]): Promise<unknown> => {
        const { status, records } = await runCli(["loop", ...sizes, ...args, "--out", out, ...CPU, "--json"]);
        expect(status).toBe(0);
        return (records[0]!["evaluation"] as { readonly correct: number }).correct;
      };
      const own = await loop(space.in("own"), "--task", "algebra");
      expect(own).toBe(await loop(space.in("named"), "--task", "algebra", "--student", "builtin:algebra"));
      expect(own).toBeGreaterThan(0);
      expect(await loop(space.in("other"), "--task", "algebra", "--student", "builtin:word-problems")).toBe(0);
      const manifest = JSON.parse(readFileSync(space.in("named", "manifest.json"), "utf8")) as unknown;
      expect(manifest).toMatchObject({ config: { student: "builtin:algebra" } });
    } finally {
      space.remove();
    }
  });

  it("score and generate take it by name; an unknown one is bad input", async () => {
    const space = new Workspace();
    try {
      const rows = space.write(
        "rows.jsonl",
        `${JSON.stringify({ prompt: "Solve for x: 3x + 5 = 20.\n", completion: "3x = 20 - 5 = 15\nx = 15 / 3 = 5\n\\boxed{5}" })}\n`,
      );
      const loss = async (student: string): Promise<number> => {
        const { status, records } = await runCli(["score", "--student", student, "--data", rows, ...CPU, "--json"]);
        expect(status).toBe(0);
        return Number(records[0]?.["loss"]);
      };
      expect(await loss("builtin:algebra")).toBeLessThan((await loss("builtin")) / 4);
      const generated = await runCli([
        "generate",
        "--student",
        "builtin:algebra",
        "--prompts",
        rows,
        "--max-new-tokens",
        "40",
        ...CPU,
        "--json",
      ]);
      expect(generated.records[0]?.["completion"]).toContain("\\boxed{");
      const unknown = await runCli(["score", "--student", "builtin:chess", "--data", rows, ...CPU]);
      expect([unknown.status, unknown.err]).toEqual([
        2,
        expect.stringContaining("builtin:TASK with one of word-problems"),
      ]);
    } finally {
      space.remove();
    }
  });
});
