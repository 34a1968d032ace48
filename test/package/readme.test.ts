import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const root = new URL("../../", import.meta.url);
const readme = readFileSync(new URL("README.md", root), "utf8");
const quickStart = new URL("examples/02-approval/main.ts", root);

/** What stands between `#region quick-start` and `#endregion`, in one piece. */
function regionsOf(source: string): string {
  return [...source.matchAll(/\/\/ #region quick-start\n([\s\S]*?)\/\/ #endregion/g)]
    .map(([, text]) => text)
    .join("\n");
}

describe("the README", () => {
  test("has at most 250 lines", () => {
    expect(readme.split("\n").length).toBeLessThanOrEqual(250);
  });

  test("begins with the quick start that CI runs, word for word", () => {
    const [, snippet] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
    expect(snippet).toBe(regionsOf(readFileSync(quickStart, "utf8")));
  });

  test("shows what the quick start really prints", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [quickStart.pathname], {
      env: { ...process.env, NODE_OPTIONS: "--conditions=perdure-source --disable-warning=ExperimentalWarning" },
    });
    const [, shown] = /```\n\n```\n([\s\S]*?)```/.exec(readme) ?? [];
    expect(shown).toBe(stdout);
  });

  test("links only to what is there", () => {
    const links = [...readme.matchAll(/\]\(([^)#]+)/g)].flatMap(([, link]) => link ?? []);
    expect(links.filter((link) => !existsSync(new URL(link, root)))).toEqual([]);
  });
});
