import { defineConfig } from "oxlint";

/**
 * The rooms of src, lowest first, and the rooms that each may import. A room imports another one's index.ts and
 * nothing else of it; inside a room, files import files. A new folder of src gets a row here.
 */
const mayImport: Record<string, readonly string[]> = {
  errors: [],
  nodes: ["errors"],
  graphs: ["errors", "nodes"],
  checkpoint: ["errors", "nodes"],
  runner: ["errors", "nodes", "graphs", "checkpoint"],
  executor: ["errors", "nodes", "graphs", "checkpoint", "runner"],
  "temporal-bridge": ["errors", "nodes", "graphs", "checkpoint", "runner", "executor"],
  telemetry: ["errors", "nodes", "graphs", "checkpoint", "runner", "executor"],
  cli: ["errors", "nodes", "graphs", "checkpoint", "runner", "executor", "temporal-bridge"],
  server: ["errors", "nodes", "graphs", "checkpoint", "runner", "executor", "temporal-bridge"],
};

const meet = "The folders say where the code runs: what two of them need lies in ../shared.";
const roomsOfTheBridge = [
  {
    files: ["src/temporal-bridge/workflow/**/*.ts"],
    regex: "^(?!@temporalio/workflow$|\\./|\\.\\./shared/(names|protocol|same-value)\\.ts$)",
    message: "Runs in Temporal's sandbox: import @temporalio/workflow and the plain files of ../shared only.",
  },
  {
    files: ["src/temporal-bridge/worker/**/*.ts"],
    regex: "/(client|workflow)/|@temporalio/(client|workflow)",
    message: meet,
  },
  {
    files: ["src/temporal-bridge/client/**/*.ts"],
    regex: "/(worker|workflow)/|@temporalio/(worker|activity|workflow)",
    message: meet,
  },
  { files: ["src/temporal-bridge/shared/**/*.ts"], regex: "@temporalio/|/(client|worker|workflow)/", message: meet },
];

export default defineConfig({
  plugins: ["typescript", "unicorn", "oxc", "import", "promise", "vitest"],
  jsPlugins: ["./scripts/lint-habits.mjs"],
  categories: { correctness: "error" },
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: "error" },
  env: { builtin: true, node: true },
  ignorePatterns: ["dist", "coverage"],
  rules: {
    "import/no-default-export": "error",
    "import/no-cycle": "error",
    "habits/no-export-all": "error",
    "habits/no-enum": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-floating-promises": "error",
    "typescript/no-misused-promises": "error",
    "typescript/consistent-type-imports": "error",
    // It objects to `String(error)` once an `unknown` was narrowed a little.
    "typescript/no-base-to-string": "off",
    "typescript/switch-exhaustiveness-check": "error",
    "unicorn/prefer-node-protocol": "error",
    // A copy of a Map's values is not useless where the loop changes the Map.
    "unicorn/no-useless-spread": "off",
    "no-var": "error",
    "prefer-const": "error",
    eqeqeq: ["error", "always", { null: "ignore" }],
    "vitest/no-focused-tests": "error",
    // The second argument says what was expected, for loops over many cases.
    "vitest/valid-expect": ["error", { maxArgs: 2 }],
    // Assertions and titles also stand in suites that are given as functions, in properties and in types.
    "vitest/expect-expect": "off",
    "vitest/no-conditional-expect": "off",
    "vitest/no-conditional-tests": "off",
    "vitest/valid-title": "off",
  },
  overrides: [
    {
      files: ["src/**/*.ts"],
      rules: { "no-console": "error", "habits/import-directions": ["error", mayImport] },
    },
    { files: ["src/**/index.ts"], rules: { "habits/index-is-a-list": "error" } },
    ...roomsOfTheBridge.map(({ files, regex, message }) => {
      const options: ["error", { patterns: { regex: string; message: string }[] }] = [
        "error",
        { patterns: [{ regex, message }] },
      ];
      return { files, rules: { "no-restricted-imports": options } };
    }),
    {
      files: ["examples/**/*.ts", "bench/**/*.ts"],
      rules: {
        "no-restricted-imports": [
          "error",
          { patterns: [{ regex: "(^|/)src/", message: "Import the package by its name, as its users do." }] },
        ],
      },
    },
    // `expectTypeOf(object.method)` calls nothing.
    { files: ["test/types/*.test-d.ts"], rules: { "typescript/unbound-method": "off" } },
    // Tools that want their configuration as a default export.
    { files: ["*.config.ts", "scripts/lint-habits.mjs"], rules: { "import/no-default-export": "off" } },
  ],
});
