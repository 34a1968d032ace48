import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const root = new URL("../../../", import.meta.url);

it("the program of docs/store.md prints what the page says", async () => {
  const page = readFileSync(new URL("docs/store.md", root), "utf8");
  const [, program = "", printed = ""] = /```ts\n([\s\S]*?)```\n\nIt prints `(.*?)`\./u.exec(page) ?? [];
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=perdure-source", "--input-type=module-typescript", "--eval", program],
    { cwd: root },
  );
  expect(stdout).toBe(`${printed}\n`);
});
