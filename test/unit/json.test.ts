/** @file Editing a JSON object keeps how its numbers are written. */
import { expect, test } from "vitest";
import { editJsonObject } from "../../src/formats/json.ts";

test("numbers that are not edited keep their text, in lists, objects and beside texts that look like numbers", () => {
  const text = `{"cap": 30.0, "theta": 1e6, "big": 12345678901234567890, "list": [0.0, -2, {"eps": 1.0E-05}],
    "text": "30.0 \\" 1.0, \\\\", "9.0": null, "gone": [1.0], "dtype": "bfloat16", "flag": true}`;
  const edited = editJsonObject(text, { drop: ["gone", "dtype"], set: { dtype: "float32", more: { n: 2.5 } } });
  expect(JSON.parse(edited)).toEqual({
    ...(JSON.parse(text.replace('"gone": [1.0], ', "")) as object),
    dtype: "float32",
    more: { n: 2.5 },
  });
  expect(edited.replaceAll(/\s+/g, "")).toBe(
    `{"cap":30.0,"theta":1e6,"big":12345678901234567890,"list":[0.0,-2,{"eps":1.0E-05}],"text":"30.0\\"1.0,\\\\","9.0":null,"flag":true,"dtype":"float32","more":{"n":2.5}}`,
  );
});

test("an object without changes is the same object", () => {
  expect(editJsonObject("{}", {})).toBe("{}\n");
  expect(editJsonObject('{"a": -0.0}', {})).toBe('{\n  "a": -0.0\n}\n');
});
