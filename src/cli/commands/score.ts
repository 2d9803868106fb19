/** @file `tutelage score`: per-example losses and acquisition scores. */
import { badInput } from "../../core/errors.ts";
import { parseExamples } from "../../formats/examples.ts";
import { SCORE_NAMES, type ScoreName } from "../../student/types.ts";
import type { Command } from "../command.ts";
import { helpText, ONNX_OPTION, Options, type OptionSpecs } from "../options.ts";
import { Output } from "../output.ts";
import { readDataFile, withStudent } from "../session.ts";
import { ADAPTER_HELP, STUDENT_HELP } from "../studentSource.ts";

const OPTIONS: OptionSpecs = {
  student: { value: "DIR|ID", description: STUDENT_HELP, required: true },
  onnx: ONNX_OPTION,
  adapter: { value: "DIR|ID", description: `PEFT adapter to apply: ${ADAPTER_HELP}` },
  data: {
    value: "FILE",
    description: 'JSONL rows: {"prompt","completion"}, {"messages"} or {"text"}, optional "id"',
    required: true,
  },
  scores: { value: "LIST", description: `comma-separated: ${SCORE_NAMES.join(", ")}`, default: "loss,lossSum" },
  "batch-size": { value: "N", description: "rows per graph run", default: "16" },
  truncate: { description: "drop tokens from the left of prompts that exceed the context (default: an error)" },
};

function parseScores(text: string): ScoreName[] {
  return text.split(",").map((word) => {
    const found = SCORE_NAMES.find((name) => name === word.trim());
    return found ?? badInput("--scores", `names among ${SCORE_NAMES.join(", ")}`, JSON.stringify(word));
  });
}

export const scoreCommand: Command = {
  name: "score",
  summary: "Score rows by the student: loss in nats per completion token, and uncertainty scores.",
  help: () =>
    helpText(
      "tutelage score --student DIR --data FILE.jsonl [options]",
      'Prints one line a row: {"id","tokens","loss","lossSum",…}. Scores are means over the completion\'s tokens and the end-of-sequence token; lossSum is their sum, gradNorm the norm of the gradient of the row\'s mean loss over the trainable parameters (the adapter\'s with --adapter), ifd loss(completion | prompt) / loss(completion). Of messages (written by the student\'s own chat template) all assistant turns count.',
      OPTIONS,
    ),
  async run(args, streams) {
    const options = Options.parse("score", args, OPTIONS);
    if (options.flag("help")) return void streams.out(this.help());
    const output = new Output(streams, options.flag("json"));
    const scores = parseScores(options.requiredText("scores"));
    const batchSize = options.integer("batch-size", { min: 1 });
    const { text, path } = await readDataFile(options, "data");
    const rows = parseExamples(text, path);
    await withStudent(options, output, undefined, async (student) => {
      const results = await student.score(rows, scores, {
        batchSize,
        truncate: options.flag("truncate"),
        onProgress: (done, total) => output.progress(`scored ${done}/${total}`),
      });
      for (const row of results) {
        const shown = scores.map((score) => `${score} ${row[score]?.toFixed(4) ?? ""}`).join("  ");
        output.record(row, `${row.id}  ${row.tokens} tokens  ${shown}`);
      }
    });
  },
};
