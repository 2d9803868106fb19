/** @file Prompts for arithmetic word problems: the generic ones, and what the task's checker reads. */
import { GENERIC_PROMPTS } from "./generic.ts";
import type { PromptSet } from "./types.ts";

const { templates, operations } = GENERIC_PROMPTS;

const FORM = `Each line of the answer is one equation, such as 12 * 4 = 48, with the numbers of the question and earlier results, whole numbers and the signs + - * / alone. The last line is #### and the final number without a unit.`;

/** Prompts for the task "word-problems", version 3. */
export const WORD_PROBLEM_PROMPTS: PromptSet = {
  name: "word-problems",
  version: 3,
  templates: {
    ...templates,
    propose: templates.propose.replace(
      "\n\nReply as JSON",
      "\nEvery number must be a positive whole number, also the results between. Write short sentences.\n\nReply as JSON",
    ),
    answer: templates.answer.replace("\n\nReply as JSON", `\n\n${FORM}\n\nReply as JSON`),
    pair: templates.pair.replace("\n\nReply as JSON", `\n${FORM}\n\nReply as JSON`),
  },
  operations,
};
