import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const root = new URL("../../", import.meta.url);
const readme = readFileSync(new URL("README.md", root), "utf8");
const quickStart = new URL("examples/02-approval/main.ts", root);

const plain = ["worker.ts", "main.ts"].map((name) => new URL(`examples/08-plain-langgraph/${name}`, root));

const onTemporal = ["worker.ts", "main.ts"].map((name) => new URL(`examples/09-temporal/${name}`, root));

/** What stands between `#region <name>` and `#endregion` in the files, in one piece. */
function regionsOf(name: string, ...files: readonly URL[]): string {
  const sources = files.map((file) => readFileSync(file, "utf8"));
  const regions = sources.flatMap((source) => [...source.matchAll(/\/\/ #region (.*)\n([\s\S]*?)\/\/ #endregion/g)]);
  return regions
    .filter(([, title]) => title === name)
    .map(([, , text]) => text)
    .join("\n");
}

describe("the README", () => {
  test("has at most 250 lines", () => {
    expect(readme.split("\n").length).toBeLessThanOrEqual(250);
  });

  test("begins with the quick start that CI runs, word for word", () => {
    const [, snippet] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
    expect(snippet).toBe(regionsOf("quick-start", quickStart));
  });

  test("shows the checkpointer under plain LangGraph as CI runs it, word for word", () => {
    const [, section] = /### Checkpointers\n([\s\S]*?)\n##/.exec(readme) ?? [];
    const [, snippet] = /```ts\n([\s\S]*?)```/.exec(section ?? "") ?? [];
    expect(snippet).toBe(regionsOf("plain", ...plain));
  });

  test("shows a graph on Temporal as CI runs it, word for word", () => {
    const [, section] = /### Temporal\n([\s\S]*?)\n##/.exec(readme) ?? [];
    const [, snippet] = /```ts\n([\s\S]*?)```/.exec(section ?? "") ?? [];
    expect(snippet).toBe(regionsOf("temporal", ...onTemporal));
  });

  test("shows what the quick start really prints", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [quickStart.pathname], {
      env: { ...process.env, NODE_OPTIONS: "--conditions=perdure-source --disable-warning=ExperimentalWarning" },
    });
    const [, shown] = /```\n\n```\n([\s\S]*?)```/.exec(readme) ?? [];
    expect(shown).toBe(stdout);
  });
});
