/**
 * @file What the requests to a chat teacher need of its ceilings, every kind up to the first pair: its gate
 * reserves the most that a request can use before it sends it. The requests are written out as they would be sent.
 */
import type { Question, Task } from "../tasks/types.ts";
import { mostTokens } from "../teacher/chat/ask.ts";
import { costOf } from "../teacher/chat/gate.ts";
import { schemaOf, type ReplyFields } from "../teacher/chat/parseReply.ts";
import type { ChatSettings } from "../teacher/config.ts";
import { fillTemplate, promptsFor } from "../teacher/prompts/registry.ts";
import { OPERATIONS } from "../teacher/types.ts";
import type { Ceiling } from "./checkCeilings.ts";
import type { ExperimentConfig } from "./config.ts";

interface Kind {
  readonly template: "judge" | "pair" | "propose" | "answer";
  readonly fields: ReplyFields;
}

const JUDGEMENT: Kind = { template: "judge", fields: { first: "score", second: "score" } };
const PAIR: Kind = { template: "pair", fields: { question: "text", answer: "text" } };
const QUESTION: Kind = { template: "propose", fields: { question: "text" } };
const ANSWER: Kind = { template: "answer", fields: { answer: "text" } };

/**
 * The ceilings of a chat teacher, and the most that any request up to the first pair can use by itself, whichever seed it is
 * about; a new question is taken to be as long as its seed. `judge`: the pool is judged first. What the requests before
 * will have used is not known before a run, and not counted (`estimate.ts` estimates it).
 */
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
  // A judgement of the pool comes first, then the pair: in one request, or the question and then its answer.
  const kinds: readonly Kind[] = [
    ...(judge ? [JUDGEMENT] : []),
    ...(chat.calls === "one" ? [PAIR] : [QUESTION, ANSWER]),
  ];
  const reservations = kinds.flatMap(({ template, fields }) =>
    pool.flatMap(({ question, answer }) =>
      OPERATIONS.map((operation) => {
        const asked = { question, answer, operation: operations[operation], first: answer, second: answer };
        const values = { ...asked, exampleQuestion: question, exampleAnswer: answer };
        return mostTokens({
          messages: [
            { role: "system", content: templates.system },
            { role: "user", content: fillTemplate(templates[template], values) },
          ],
          maxOutputTokens: chat.maxOutputTokens,
          seed: 0,
          format: chat.structured,
          schema: schemaOf(fields),
        });
      }),
    ),
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
