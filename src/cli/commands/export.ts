/** @file `tutelage export`: a student, its adapter merged in, for other programs. */
import { badInput } from "../../core/errors.ts";
import { directorySink } from "../../formats/node/directorySource.ts";
import {
  EXPORT_DTYPES,
  EXPORTED_FILES,
  exportOnnx,
  ONNX_MODEL_FILES,
  type ExportDtype,
} from "../../student/exportOnnx.ts";
import { saveStudent, STUDENT_FILES } from "../../student/save.ts";
import { readStudentFiles } from "../../student/student.ts";
import type { Command } from "../command.ts";
import { helpText, ONNX_OPTION, Options, type OptionSpecs } from "../options.ts";
import { Output } from "../output.ts";
import { parseOut } from "../session.ts";
import { ADAPTER_HELP, openAdapterSource, openStudentSource, STUDENT_HELP } from "../studentSource.ts";

const FORMATS = ["safetensors", "onnx"] as const;

const OPTIONS: OptionSpecs = {
  student: { value: "DIR|ID", description: STUDENT_HELP, required: true },
  onnx: ONNX_OPTION,
  adapter: { value: "DIR|ID", description: `PEFT adapter to merge in: ${ADAPTER_HELP}` },
  out: { value: "DIR", description: "where the export goes; written whole or not at all", required: true },
  format: {
    value: FORMATS.join("|"),
    description: "safetensors for transformers, onnx for transformers.js and Optimum",
    default: "safetensors",
  },
  dtype: {
    value: EXPORT_DTYPES.join("|"),
    description: "number type of the weights; with onnx also both: fp32,fp16",
    default: "fp32",
  },
};

function parseDtypes(options: Options): ExportDtype[] {
  const text = options.requiredText("dtype");
  const dtypes = text.split(",").map((word) => {
    const found = EXPORT_DTYPES.find((dtype) => dtype === word.trim());
    return (
      found ?? badInput("--dtype", `one of ${EXPORT_DTYPES.join(", ")}, or both with a comma between`, `"${text}"`)
    );
  });
  return [...new Set(dtypes)];
}

export const exportCommand: Command = {
  name: "export",
  summary: "Write a student with its adapter merged in: safetensors, or ONNX for transformers.js.",
  help: () =>
    helpText(
      "tutelage export --student DIR --out DIR [options]",
      'Prints one line: {"out","format","files","parameters"}.',
      OPTIONS,
      `With --format onnx: ${EXPORT_DTYPES.map((dtype) => `${ONNX_MODEL_FILES[dtype]} (${dtype})`).join(", ")}, with key-value cache, configs and tokenizer.`,
    ),
  async run(args, streams) {
    const options = Options.parse("export", args, OPTIONS);
    if (options.flag("help")) return void streams.out(this.help());
    const output = new Output(streams, options.flag("json"));
    const format = options.choice("format", FORMATS);
    const dtypes = parseDtypes(options);
    const [dtype = "fp32"] = dtypes;
    if (format === "safetensors" && dtypes.length > 1)
      badInput("--dtype", "one number type with --format safetensors", options.requiredText("dtype"));
    const out = parseOut(options);
    const expected = format === "onnx" ? EXPORTED_FILES : STUDENT_FILES;
    const sink = await directorySink(out, expected);
    try {
      const student = await readStudentFiles({
        source: await openStudentSource(options.requiredText("student"), output),
        ...(options.given("adapter")
          ? { adapter: await openAdapterSource(options.requiredText("adapter"), output) }
          : {}),
        ...(options.given("onnx") ? { onnx: options.requiredText("onnx") } : {}),
        onWarning: (message) => output.note(`warning: ${message}`),
      });
      const { onnx, decoder } = student.model;
      if (onnx !== undefined && format !== "onnx")
        badInput("--format", "onnx for a student made of an ONNX model", format, "It has no safetensors layout");
      if (onnx !== undefined && options.given("dtype"))
        badInput(
          "--dtype",
          "none for a student made of an ONNX model",
          dtypes.join(),
          "The file keeps its number types",
        );
      let files: readonly string[] = ["model.safetensors"];
      if (format === "onnx") files = await exportOnnx(student, sink, dtypes);
      else await saveStudent(student, sink, dtype === "fp16" ? "float16" : "float32");
      await sink.commit();
      const parameters = decoder.parameters.reduce(
        (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
        0,
      );
      output.record({ out, format, files, parameters }, `${out}: ${files.join(", ")} (${parameters} parameters)`);
    } finally {
      await sink.abort();
    }
  },
};
