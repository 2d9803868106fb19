/** @file `tutelage generate`: completions of prompts. */
import { Rng } from "../../core/rng.ts";
import { parsePrompts } from "../../formats/examples.ts";
import type { Chat } from "../../student/types.ts";
import type { Command } from "../command.ts";
import { helpText, ONNX_OPTION, Options, type OptionSpecs } from "../options.ts";
import { Output } from "../output.ts";
import { readDataFile, withStudent } from "../session.ts";
import { ADAPTER_HELP, STUDENT_HELP } from "../studentSource.ts";

const OPTIONS: OptionSpecs = {
  student: { value: "DIR|ID", description: STUDENT_HELP, required: true },
  onnx: ONNX_OPTION,
  adapter: { value: "DIR|ID", description: `PEFT adapter to apply: ${ADAPTER_HELP}` },
  prompts: { value: "FILE", description: 'JSONL rows: {"prompt"} or {"messages"}, optional "id"', required: true },
  "max-new-tokens": { value: "N", description: "stop after so many tokens", default: "64" },
  temperature: { value: "X", description: "0 is greedy", default: "0" },
  "top-p": { value: "X", description: "nucleus sampling mass", default: "1" },
  "batch-size": { value: "N", description: "prompts per batch", default: "32" },
};

/** What stands before the completion: the prompt, or the last message of a chat. */
function describePrompt(prompt: string | Chat | undefined): string {
  return typeof prompt === "object" ? `${prompt.messages.at(-1)?.content ?? ""} ` : (prompt ?? "");
}

export const generateCommand: Command = {
  name: "generate",
  summary: "Complete prompts with the student, greedily or sampled.",
  help: () =>
    helpText(
      "tutelage generate --student DIR --prompts FILE.jsonl [options]",
      'Prints one line a prompt: {"id","completion","tokens","finishReason"}; finishReason is "stop" at the end-of-sequence token, "length" otherwise.',
      OPTIONS,
      "Messages are written by the student's own chat template, up to where the assistant's answer begins.",
    ),
  async run(args, streams) {
    const options = Options.parse("generate", args, OPTIONS);
    if (options.flag("help")) return void streams.out(this.help());
    const output = new Output(streams, options.flag("json"));
    const maxNewTokens = options.integer("max-new-tokens", { min: 1 });
    const temperature = options.number("temperature", { min: 0 });
    const topP = options.number("top-p", { min: 0, max: 1 });
    const batchSize = options.integer("batch-size", { min: 1 });
    const rng = new Rng(options.integer("seed")).fork("generate");
    const { text, path } = await readDataFile(options, "prompts");
    const prompts = parsePrompts(text, path);
    await withStudent(options, output, undefined, async (student) => {
      const generations = await student.generate(
        prompts.map((row) => row.prompt),
        {
          maxNewTokens,
          temperature,
          topP,
          batchSize,
          rng,
          onProgress: (done, total) => output.progress(`generated ${done}/${total}`),
        },
      );
      generations.forEach(({ completion, tokens, finishReason }, i) => {
        const prompt = prompts[i];
        output.record(
          { id: prompt?.id, completion, tokens, finishReason },
          `${prompt?.id}  ${describePrompt(prompt?.prompt)}\u2502${completion}  (${tokens} tokens, ${finishReason})`,
        );
      });
    });
  },
};
