/** @file A student as one file: which files are in it, and what has no adapter. */
import { unzipSync } from "fflate";
import { expect, it } from "vitest";
import { createEngine } from "../../src/runtime/createEngine.ts";
import { packStudent } from "../../src/student/packStudent.ts";
import { withFixture } from "../support/studentFiles.ts";

it("packs the adapter alone in PEFT's files where the student trains one", async () => {
  const engine = await createEngine("cpu", { threads: 1 });
  const method = { method: "lora", r: 2, loraAlpha: 4, targetModules: ["q_proj"] } as const;
  await withFixture(engine, "llama-untied", { method }, async (student) => {
    const files = unzipSync(await packStudent(student, "adapter"));
    expect(Object.keys(files).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
    expect(JSON.parse(new TextDecoder().decode(files["adapter_config.json"]))).toMatchObject({ r: 2, lora_alpha: 4 });
    expect(Object.keys(unzipSync(await packStudent(student, "safetensors")))).toContain("model.safetensors");
  });
  await withFixture(engine, "llama-untied", {}, async (student) => {
    await expect(packStudent(student, "adapter")).rejects.toThrow(/trains all its weights/);
  });
  await engine.dispose();
});
