import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ERROR_CODES } from "perdure/errors";
import { root } from "./project.ts";

const rows = readFileSync(join(root, "docs", "errors.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

describe("docs/errors.md", () => {
  it("has one row for each error code, in the order of the codes", () => {
    expect(rows.map(([code]) => code)).toEqual(ERROR_CODES.map((code) => `\`${code}\``));
  });

  it("says for each code what happened and what to do", () => {
    for (const cells of rows) {
      expect(cells).toHaveLength(3);
      expect(cells.filter((cell) => /\w.*\.$/.test(cell))).toHaveLength(2);
    }
  });

  it("goes with codes that are in order, each there once", () => {
    expect([...ERROR_CODES]).toEqual([...new Set(ERROR_CODES)].sort());
  });
});
