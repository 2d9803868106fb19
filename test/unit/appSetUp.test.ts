/** @file The parts of the set-up drawer that are data: presets, the glossary, and where a term's card stands. */
import { expect, test } from "vitest";
import { placeCard } from "../../src/app/components/term.tsx";
import type { Term } from "../../src/app/glossary.ts";
import { GLOSSARY } from "../../src/app/glossary.ts";
import { applyPreset, PRESETS, presetOf } from "../../src/app/presets.ts";
import { checkSettings, DEFAULT_DRAFT, experimentsOf } from "../../src/app/settings.ts";
import { parseExperimentConfig } from "../../src/loop/parseConfig.ts";

test.each(PRESETS.map((preset) => [preset.id, preset] as const))(
  "the preset %s can be run, and is recognised",
  (id, preset) => {
    const draft = applyPreset(preset.change, { ...DEFAULT_DRAFT, provider: "wasm", seed: "9" });
    expect(draft.provider).toBe("wasm");
    expect(presetOf(draft)?.id).toBe(id);
    const checked = checkSettings(draft);
    if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
    for (const experiment of experimentsOf(checked.settings)) parseExperimentConfig(experiment);
    expect(presetOf({ ...draft, rounds: "17" })).toBeUndefined();
  },
);

test("every term is explained in one to three sentences and says where that is from", () => {
  for (const [id, { title, text, source }] of Object.entries<Term>(GLOSSARY)) {
    const sentences = text.split(/[.!?](?:\s|$)/).filter((sentence) => sentence !== "").length;
    expect([id, sentences >= 1 && sentences <= 3 && text.length <= 240]).toEqual([id, true]);
    expect([id, text.endsWith("."), title.length > 0, source.text.length > 0]).toEqual([id, true, true, true]);
    if (source.href !== undefined) expect(new URL(source.href).protocol).toBe("https:");
  }
});

test("a term's card stays inside the window, below its button or above it", () => {
  const window = { width: 390, height: 800 };
  const card = { width: 350, height: 120 };
  expect(placeCard({ left: 10, top: 100, bottom: 124 }, card, window)).toEqual({ left: 10, top: 130 });
  expect(placeCard({ left: 300, top: 100, bottom: 124 }, card, window).left).toBe(34);
  expect(placeCard({ left: 10, top: 760, bottom: 784 }, card, window).top).toBe(634);
  expect(placeCard({ left: -50, top: 760, bottom: 784 }, { width: 900, height: 900 }, window)).toEqual({
    left: 6,
    top: 6,
  });
});
