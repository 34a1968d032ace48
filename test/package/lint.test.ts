import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "./project.ts";

/** A file that breaks one rule, and the rule. */
interface Sample {
  readonly promise: string;
  readonly file: string;
  readonly text: string;
  /** The rule that objects; `undefined` if none may. */
  readonly rule: string | undefined;
}

const used = (name: string) => `export const used: unknown = ${name};\n`;
const importing = (path: string) => `import { thing } from "${path}";\n${used("thing")}`;
const directions = "habits(import-directions)";

const samples: readonly Sample[] = [
  ...(
    [
      ["errors", "nodes", false],
      ["nodes", "errors", true],
      ["nodes", "graphs", false],
      ["nodes", "checkpoint", false],
      ["graphs", "nodes", true],
      ["graphs", "checkpoint", false],
      ["graphs", "runner", false],
      ["checkpoint", "errors", true],
      ["checkpoint", "graphs", false],
      ["checkpoint", "runner", false],
      ["runner", "checkpoint", true],
      ["runner", "graphs", true],
      ["runner", "executor", false],
      ["executor", "runner", true],
      ["executor", "temporal-bridge", false],
      ["temporal-bridge", "executor", true],
      ["temporal-bridge", "cli", false],
      ["cli", "temporal-bridge", true],
      ["server", "cli", false],
    ] as const
  ).map(([from, to, allowed]) => ({
    promise: `${from} ${allowed ? "may" : "may not"} import ${to}`,
    file: `src/${from}/imports-${to}.ts`,
    text: importing(`../${to}/index.ts`),
    rule: allowed ? undefined : directions,
  })),
  {
    promise: "a room is imported by its index.ts only",
    file: "src/runner/deep-import.ts",
    text: importing("../nodes/question.ts"),
    rule: directions,
  },
  {
    promise: "a file of a nested folder keeps to its room's directions",
    file: "src/nodes/nested/imports-graphs.ts",
    text: importing("../../graphs/index.ts"),
    rule: directions,
  },
  {
    promise: "a file of a nested folder may import a file of its room",
    file: "src/nodes/nested/imports-own-room.ts",
    text: importing("../once.ts"),
    rule: undefined,
  },
  {
    promise: "import() keeps to the directions too",
    file: "src/nodes/lazy-import.ts",
    text: used(`() => import("../graphs/index.ts")`),
    rule: directions,
  },
  {
    promise: "a type is imported in the same directions",
    file: "src/nodes/type-import.ts",
    text: `import type { Thing } from "../graphs/index.ts";\nexport type Mine = Thing;\n`,
    rule: directions,
  },
  {
    promise: "a new room needs a row in the table",
    file: "src/attic/imports-errors.ts",
    text: importing("../errors/index.ts"),
    rule: directions,
  },
  {
    promise: "a file doesn't import its own room's index.ts",
    file: "src/nodes/own-index.ts",
    text: importing("./index.ts"),
    rule: directions,
  },
  {
    promise: "src doesn't import the package by its name",
    file: "src/runner/by-name.ts",
    text: importing("perdure/nodes"),
    rule: directions,
  },
  {
    promise: "src/index.ts takes from the rooms' index.ts only",
    file: "src/index.ts",
    text: `export { thing } from "./nodes/question.ts";\n`,
    rule: directions,
  },
  {
    promise: "an example imports the package by its name",
    file: "examples/by-path.ts",
    text: importing("../src/nodes/index.ts"),
    rule: "eslint(no-restricted-imports)",
  },
  {
    promise: "no default exports",
    file: "src/nodes/default-export.ts",
    text: "export default 1;\n",
    rule: "import(no-default-export)",
  },
  {
    promise: "no export *",
    file: "src/nodes/export-all.ts",
    text: `export * from "./once.ts";\n`,
    rule: "habits(no-export-all)",
  },
  {
    promise: "an index.ts holds no logic",
    file: "src/graphs/index.ts",
    text: "export const logic = 1;\n",
    rule: "habits(index-is-a-list)",
  },
  { promise: "no enums", file: "src/nodes/enum.ts", text: "export enum Color { Red }\n", rule: "habits(no-enum)" },
  {
    promise: "no any",
    file: "src/nodes/any.ts",
    text: "export const anything: any = 1;\n",
    rule: "typescript(no-explicit-any)",
  },
  {
    promise: "no promise is left floating",
    file: "src/nodes/floating.ts",
    text: "export function start(): void {\n  Promise.resolve(1);\n}\n",
    rule: "typescript(no-floating-promises)",
  },
  {
    promise: "no console in src",
    file: "src/nodes/console.ts",
    text: `console.log("here");\n`,
    rule: "eslint(no-console)",
  },
  {
    promise: "an example may use the console",
    file: "examples/console.ts",
    text: `console.log("here");\n`,
    rule: undefined,
  },
  {
    promise: "modules of Node.js carry the node: prefix",
    file: "src/nodes/prefix.ts",
    text: `import { sep } from "path";\n${used("sep")}`,
    rule: "unicorn(prefer-node-protocol)",
  },
  {
    promise: "no test runs alone",
    file: "test/nodes/focused.test.ts",
    text: `import { expect, it } from "vitest";\nit.only("works", () => {\n  expect(1).toBe(1);\n});\n`,
    rule: "vitest(no-focused-tests)",
  },
];

describe("the linter", () => {
  const project = mkdtempSync(join(tmpdir(), "perdure-lint-"));
  let rulesBroken: Map<string, string[]>;

  beforeAll(async () => {
    for (const file of ["oxlint.config.ts", "tsconfig.json", "package.json", "scripts/lint-habits.mjs"]) {
      cpSync(join(root, file), join(project, file));
    }
    symlinkSync(join(root, "node_modules"), join(project, "node_modules"), "dir");
    for (const { file, text } of samples) {
      mkdirSync(dirname(join(project, file)), { recursive: true });
      writeFileSync(join(project, file), text);
    }
    rulesBroken = await lint(project);
  });

  afterAll(() => rmSync(project, { recursive: true, force: true }));

  it.each(samples)("$promise", ({ file, rule }) => {
    expect(rulesBroken.get(file) ?? []).toEqual(rule === undefined ? [] : [rule]);
  });
});

/** Which rules each file breaks. */
async function lint(project: string): Promise<Map<string, string[]>> {
  const oxlint = join(root, "node_modules", "oxlint", "bin", "oxlint");
  const stdout = await new Promise<string>((resolve) => {
    // It ends with status 1, as it should: the samples are bad.
    execFile(
      process.execPath,
      [oxlint, "--format=json", "src", "test", "examples"],
      { cwd: project, timeout: 150_000 },
      (_error, output) => resolve(output),
    );
  });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] };
  const byFile = new Map<string, string[]>();
  for (const { code, filename } of diagnostics) byFile.set(filename, [...(byFile.get(filename) ?? []), code]);
  return byFile;
}
