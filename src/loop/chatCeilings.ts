/**
 * @file What the first request to a chat teacher needs of its ceilings: its gate reserves the most
 * that a request can use before it sends it. The requests are written out as they would be sent.
 */
import type { Question, Task } from "../tasks/types.ts";
import { mostTokens } from "../teacher/chat/ask.ts";
import { costOf } from "../teacher/chat/gate.ts";
import { schemaOf } from "../teacher/chat/parseReply.ts";
import type { ChatSettings } from "../teacher/config.ts";
import { fillTemplate, promptsFor } from "../teacher/prompts/registry.ts";
import { OPERATIONS } from "../teacher/types.ts";
import type { Ceiling } from "./checkCeilings.ts";
import type { ExperimentConfig } from "./config.ts";

/** The ceilings of a chat teacher, and the most that its first request can use, whichever seed it is about. `judge`: the pool is judged first. */
export function chatCeilings(
  config: ExperimentConfig,
  chat: ChatSettings,
  task: Task,
  pool: readonly Question[],
  judge: boolean,
): readonly Ceiling[] {
  const { budget } = config;
  const { limits, price } = chat;
  const { templates, operations } = promptsFor(task.name, chat.prompts);
  const template = judge ? "judge" : chat.calls === "one" ? "pair" : "propose";
  const schema = schemaOf(
    judge
      ? { first: "score", second: "score" }
      : chat.calls === "one"
        ? { question: "text", answer: "text" }
        : { question: "text" },
  );
  const reservations = pool.flatMap(({ question, answer }) =>
    OPERATIONS.map((operation) => {
      const values = { question, answer, operation: operations[operation], first: answer, second: answer };
      return mostTokens({
        messages: [
          { role: "system", content: templates.system },
          { role: "user", content: fillTemplate(templates[template], values) },
        ],
        maxOutputTokens: chat.maxOutputTokens,
        seed: 0,
        format: chat.structured,
        schema,
      });
    }),
  );
  const tokens = Math.max(...reservations.map((one) => one.promptTokens + one.completionTokens));
  const usd = Math.max(...reservations.map((one) => costOf(one, price)));
  const field = (own: number | undefined, limit: number | undefined, name: string, limitName: string): string =>
    own !== undefined && own === limit ? `budget.${name}` : `teacher.chat.limits.${limitName}`;
  // Each judgement is asked for in both orders.
  const requests = (judge ? 2 * pool.length : 0) + (chat.calls === "one" ? 1 : 2);
  return [
    { field: "teacher.chat.limits.maxRequests", set: limits.maxRequests, needed: requests },
    {
      field: field(budget.teacherTokens, limits.maxTokens, "teacherTokens", "maxTokens"),
      set: limits.maxTokens,
      needed: tokens,
    },
    {
      field: field(budget.costUsd, limits.maxCostUsd, "costUsd", "maxCostUsd"),
      set: limits.maxCostUsd,
      needed: usd,
      money: true,
    },
  ];
}
