/** @file What training writes loads back to the same scores, bit for bit: students and adapters of every family. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { memorySink, type FileSink } from "../../src/formats/fileSource.ts";
import { loadAdapter } from "../../src/formats/peft.ts";
import { parseSafetensors } from "../../src/formats/safetensors.ts";
import { createEngine } from "../../src/runtime/createEngine.ts";
import type { Engine } from "../../src/runtime/types.ts";
import { exportOnnx } from "../../src/student/exportOnnx.ts";
import { ADAPTER_FILES, saveLora, saveStudent, STUDENT_FILES } from "../../src/student/save.ts";
import { openStudent, type LanguageModel, type OpenStudentOptions } from "../../src/student/student.ts";
import { SIMPLE_SCORES, type ScoreRow } from "../../src/student/types.ts";
import { LORA, ROWS, sourceOf, studentFiles, TRAIN_OPTIONS, withFixture, type Files } from "../support/studentFiles.ts";
import { fixtureNames } from "../support/goldens.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine("cpu", { threads: 1 });
});
afterAll(async () => engine.dispose());

async function train(student: LanguageModel): Promise<void> {
  for await (const record of student.train(ROWS, { ...TRAIN_OPTIONS, steps: 2, learningRate: 1e-2, warmupSteps: 0 }))
    expect(record.loss).toBeGreaterThan(0);
}

async function saved(
  student: LanguageModel,
  save: (student: LanguageModel, sink: FileSink) => Promise<void>,
): Promise<Files> {
  let files: Files = new Map();
  const sink = memorySink((written) => (files = new Map(written)));
  await save(student, sink);
  await sink.commit();
  return files;
}

async function scoresFrom(options: OpenStudentOptions): Promise<ScoreRow[]> {
  const student = await openStudent(engine, options);
  try {
    return await student.score(ROWS, SIMPLE_SCORES);
  } finally {
    await student.dispose();
  }
}

const textOf = (files: Files, path: string): string => {
  const data = files.get(path)!;
  return typeof data === "string" ? data : new TextDecoder().decode(data);
};

test("numbers of config.json are written as they were: transformers takes 30 for no float", async () => {
  const files = new Map(studentFiles("gemma2"));
  const config = textOf(files, "config.json").replace(/("final_logit_softcapping": )2\.5/, "$130.0");
  files.set("config.json", config);
  const student = await openStudent(engine, { source: sourceOf(files) });
  try {
    for (const save of [saveStudent, (own: LanguageModel, sink: FileSink) => exportOnnx(own, sink, ["fp32"])]) {
      const written = textOf(await saved(student, async (own, sink) => void (await save(own, sink))), "config.json");
      expect(written).toContain('"final_logit_softcapping": 30.0,');
    }
  } finally {
    await student.dispose();
  }
});

describe.each(fixtureNames())("%s", (name) => {
  test("a trained student is written whole and loads back equal", async () => {
    await withFixture(engine, name, {}, async (student) => {
      await train(student);
      const files = await saved(student, saveStudent);
      for (const path of files.keys()) expect(STUDENT_FILES).toContain(path);
      expect(await scoresFrom({ source: sourceOf(files) })).toEqual(await student.score(ROWS, SIMPLE_SCORES));

      const original = studentFiles(name);
      for (const path of ["tokenizer.json", "tokenizer_config.json", "generation_config.json"]) {
        if (original.has(path)) expect(textOf(files, path), path).toBe(textOf(original, path));
      }
      const before = JSON.parse(textOf(original, "config.json")) as Record<string, unknown>;
      expect(JSON.parse(textOf(files, "config.json"))).toEqual({
        ...before,
        ["dtype" in before ? "dtype" : "torch_dtype"]: "float32",
      });

      const file = parseSafetensors(files.get("model.safetensors") as Uint8Array, name);
      expect(file.metadata).toEqual({ format: "pt" });
      expect([...file.names].sort()).toEqual(student.model.decoder.parameters.map((spec) => spec.name).sort());
      for (const tensor of file.names) expect(file.entry(tensor).dtype, tensor).toBe("F32");
    });
  });

  test("a trained adapter loads back equal on its base", async () => {
    await withFixture(engine, name, { method: LORA, seed: 4 }, async (student) => {
      await train(student);
      const files = await saved(student, saveLora);
      expect([...files.keys()].sort()).toEqual([...ADAPTER_FILES].sort());
      const adapter = sourceOf(files, "adapter");
      expect(await scoresFrom({ source: sourceOf(studentFiles(name)), adapter })).toEqual(
        await student.score(ROWS, SIMPLE_SCORES),
      );

      // PEFT's names and settings.
      expect(JSON.parse(textOf(files, "adapter_config.json"))).toMatchObject({
        peft_type: "LORA",
        task_type: "CAUSAL_LM",
        r: 4,
        lora_alpha: 8,
        base_model_name_or_path: name,
      });
      for (const key of parseSafetensors(files.get("adapter_model.safetensors") as Uint8Array, name).names) {
        expect(key).toMatch(
          /^base_model\.model\.(model\.layers|gpt_neox\.layers|transformer\.h)\.\d+\..*\.lora_[AB]\.weight$/,
        );
      }
      expect((await loadAdapter(adapter)).warnings).toEqual([]);
    });
  });

  test("a student saved with its adapter has it merged", async () => {
    await withFixture(engine, name, { method: LORA, seed: 4 }, async (student) => {
      await train(student);
      const merged = await scoresFrom({ source: sourceOf(await saved(student, saveStudent)) });
      const beside = await student.score(ROWS, SIMPLE_SCORES);
      merged.forEach((row, i) => expect(Math.abs(row.loss! - beside[i]!.loss!)).toBeLessThan(1e-5));
    });
  });
});

test("an adapter continues where it was saved, with its own rank, alpha and targets", async () => {
  const method = { method: "lora", r: 2, loraAlpha: 5, targetModules: ["q_proj", "v_proj"] } as const;
  const files = await withFixture(engine, "llama-gqa-tied", { method }, async (student) => {
    await train(student);
    return saved(student, saveLora);
  });
  await withFixture(engine, "llama-gqa-tied", { adapter: sourceOf(files, "adapter") }, async (student) => {
    expect(student.parameters.trainable).toBe(2 * 2 * (24 + 24 + 24 + 8));
    await train(student);
    const config = JSON.parse(textOf(await saved(student, saveLora), "adapter_config.json")) as Record<string, unknown>;
    expect(config).toMatchObject({ r: 2, lora_alpha: 5, target_modules: ["q_proj", "v_proj"] });
  });
});

test("saving does not change the student", async () => {
  await withFixture(engine, "gpt2-prefixed", { method: LORA }, async (student) => {
    await train(student);
    const before = await student.snapshot();
    await saved(student, saveStudent);
    await saved(student, saveLora);
    expect(await student.snapshot()).toEqual(before);
  });
});
