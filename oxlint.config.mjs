/**
 * @file The linter's rules. Layer rules come from `scripts/layers.mjs`. Kept as errors
 * only, so that a rule is either obeyed or gone.
 */
import { DATA_FILES, LAYERS, OWNED_PACKAGES } from "./scripts/layers.mjs";

const ALL_LAYERS = Object.keys(LAYERS);
const UP = ["../", "../../", "../../../"];

/**
 * Rules of one layer: no import from a layer it may not use, nor of a package that another layer owns.
 * @param {string} layer
 * @param {string[]} allowed
 */
function layerRules(layer, allowed) {
  const forbidden = ALL_LAYERS.filter((other) => other !== layer && !allowed.includes(other));
  const message = `${layer} may import ${allowed.join(", ") || "no other layer"} (scripts/layers.mjs)`;
  const data = layer === "core" ? [] : DATA_FILES.flatMap((file) => UP.map((up) => `!${up}${file}`));
  const below = [...forbidden.flatMap((other) => UP.map((up) => `${up}${other}/**`)), ...data];
  const patterns = Object.entries(OWNED_PACKAGES)
    .filter(([, owners]) => !owners.includes(layer))
    .map(([name, owners]) => ({
      group: [name, `${name}/**`],
      message: `only src/${owners.join(", src/")} imports ${name}`,
    }));
  // Types cost nothing at run time; test/unit/layers.test.ts holds them to the contract files.
  if (forbidden.length > 0)
    patterns.push({ group: below, message, ...(layer === "core" ? {} : { allowTypeImports: true }) });
  return {
    files: [`src/${layer}/**`],
    rules: { "no-restricted-imports": ["error", { patterns }] },
  };
}

export default {
  plugins: ["typescript", "unicorn", "oxc", "import", "promise"],
  categories: { correctness: "error", suspicious: "error" },
  ignorePatterns: ["dist", "public", "test-results", "node_modules", "/runs", "scripts/golden/**/*.mjs"],
  rules: {
    "import/no-cycle": "error",
    "import/no-self-import": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-non-null-assertion": "error",
    "typescript/consistent-type-imports": ["error", { disallowTypeAnnotations: false }],
    "typescript/no-floating-promises": "error",
    "typescript/no-misused-promises": "error",
    "typescript/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    "typescript/only-throw-error": "error",
    "typescript/prefer-promise-reject-errors": "error",
    "no-restricted-properties": [
      "error",
      { object: "Math", property: "random", message: "randomness comes from Rng (src/core/rng.ts)" },
    ],
    // A leading underscore says that a parameter or a taken-out field is not used.
    "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
    eqeqeq: "error",
    "no-var": "error",
    "prefer-const": "error",
    "typescript/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true, allowArray: true }],
    // Off: the compiler's own checks are better (functions that end in a call of type `never`).
    "typescript/consistent-return": "off",
    // Off: reading a list at an index known to be inside needs an assertion under noUncheckedIndexedAccess.
    "typescript/no-unsafe-type-assertion": "off",
    // Off, taste: sorting or reversing one's own copy in place, `new Array(n)`, small local helpers, `onmessage`,
    // a local named as something outside, foreign names with `_`, `() => void f()`, `=== true`, `fc.assert`, imports for their effect.
    "unicorn/no-array-sort": "off",
    "unicorn/no-array-reverse": "off",
    "unicorn/no-new-array": "off",
    "unicorn/consistent-function-scoping": "off",
    "unicorn/prefer-add-event-listener": "off",
    "no-shadow": "off",
    "no-underscore-dangle": "off",
    "typescript/no-meaningless-void-operator": "off",
    "typescript/no-unnecessary-boolean-literal-compare": "off",
    "import/no-named-as-default-member": "off",
    "import/no-unassigned-import": "off",
  },
  overrides: [
    ...Object.entries(LAYERS).map(([layer, allowed]) => layerRules(layer, allowed)),
    {
      files: ["test/**/*.test.ts"],
      plugins: ["vitest"],
      rules: {
        "vitest/no-conditional-expect": "off",
        // What every test of a file must leave behind is checked in its afterEach.
        "vitest/no-standalone-expect": "off",
        "vitest/valid-title": "off",
        "vitest/valid-describe-callback": "off",
        "vitest/no-focused-tests": "error",
        "vitest/no-disabled-tests": "error",
        "vitest/no-identical-title": "error",
        "vitest/valid-expect": ["error", { maxArgs: 2 }],
        "vitest/expect-expect": [
          "error",
          { assertFunctionNames: ["expect*", "assert*", "check*", "compare*", "fc.assert"] },
        ],
      },
    },
    // The default export of `?worker&url` is the bundler's.
    { files: ["src/app/main.ts", "workers/loop.worker.ts"], rules: { "import/default": "off" } },
    // Its messages go to workers, which have no origin.
    { files: ["src/teacher/local/localWorker.ts"], rules: { "unicorn/require-post-message-target-origin": "off" } },
    // `any` is what the platform declares there.
    { files: ["src/core/host.d.ts"], rules: { "typescript/no-explicit-any": "off" } },
    {
      files: ["test/**", "bench/**"],
      rules: { "typescript/no-explicit-any": "off", "typescript/no-non-null-assertion": "off" },
    },
  ],
};
