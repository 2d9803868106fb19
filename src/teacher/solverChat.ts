/**
 * @file The built-in teacher in a chat: recognises this project's own prompts and answers
 * them with the JSON they ask for; any other message is taken for a question. Not here:
 * HTTP (`node/teacherServer.ts`).
 */
import { TutelageError } from "../core/errors.ts";
import type { Rng } from "../core/rng.ts";
import type { Task } from "../tasks/types.ts";
import type { ChatMessage } from "./chat/types.ts";
import { matchTemplate, PROMPT_SETS } from "./prompts/registry.ts";
import type { PromptSet, TemplateName } from "./prompts/types.ts";
import { createSolverTeacher } from "./solverTeacher.ts";
import { OPERATIONS } from "./types.ts";
import type { Operation } from "./types.ts";

type Values = Readonly<Record<string, string>>;

/** One message of this project, recognised. */
interface Recognised {
  readonly set: PromptSet;
  readonly template: TemplateName;
  readonly values: Values;
}

/** What answers a chat. Replies depend on the messages and on `rng` alone. */
export interface SolverChat {
  /** The assistant's text. `json`: an object is asked for even where the prompt is not ours. */
  reply(messages: readonly ChatMessage[], rng: Rng, options?: { readonly json?: boolean }): Promise<string>;
}

/** The solver of `task` as a chat; `errorRate` of its pairs are wrong. @throws BadInputError for a task without an author. */
export function createSolverChat(task: Task, { errorRate = 0 }: { readonly errorRate?: number } = {}): SolverChat {
  const teacher = createSolverTeacher(task, { errorRate });

  async function answerOf(question: string, rng: Rng): Promise<string> {
    try {
      return (await teacher.answer(question, { rng })).value.answer;
    } catch (error) {
      if (error instanceof TutelageError && error.code === "unsupported")
        return `I can only answer questions of the task ${task.name}, in the words its own questions use.`;
      throw error;
    }
  }

  async function newQuestion(values: Values, set: PromptSet, rng: Rng): Promise<string> {
    const operation = operationOf(values, set);
    const { question = "", answer = "" } = values;
    try {
      return (await teacher.propose({ id: "chat", question, answer, level: "" }, operation, { rng })).value.question;
    } catch (error) {
      if (error instanceof TutelageError && error.code === "unsupported")
        return `I cannot write a question like that one.`;
      throw error;
    }
  }

  async function objectFor({ set, template, values }: Recognised, rng: Rng): Promise<Record<string, unknown>> {
    switch (template) {
      case "propose":
        return { question: await newQuestion(values, set, rng) };
      case "answer":
        return { answer: await answerOf(values.question ?? "", rng) };
      case "pair": {
        const question = await newQuestion(values, set, rng);
        return { question, answer: await answerOf(question, rng) };
      }
      case "judge": {
        const { question = "", first = "", second = "" } = values;
        const [a, b] = (await teacher.judge(question, [first, second], { rng })).value.scores;
        return { first: a, second: b };
      }
      case "system":
        return {};
    }
  }

  return {
    async reply(messages, rng, { json = false } = {}) {
      const asked = messages.filter(({ role }) => role === "user").map(({ content }) => content);
      for (const text of asked.toReversed()) {
        const recognised = recognise(text);
        if (recognised !== undefined) return JSON.stringify(await objectFor(recognised, rng));
      }
      const answer = await answerOf(asked.at(-1)?.trim() ?? "", rng);
      return json ? JSON.stringify({ answer }) : answer;
    },
  };
}

function recognise(text: string): Recognised | undefined {
  for (const set of PROMPT_SETS) {
    for (const template of ["propose", "answer", "pair", "judge"] as const) {
      const values = matchTemplate(set.templates[template], text);
      if (values === undefined) continue;
      // A longer template may begin as a shorter one: the operation says which it was.
      if ("operation" in values && !OPERATIONS.some((name) => set.operations[name] === values.operation)) continue;
      return { set, template, values };
    }
  }
  return undefined;
}

function operationOf(values: Values, set: PromptSet): Operation {
  return OPERATIONS.find((name) => set.operations[name] === values.operation) ?? "vary";
}
