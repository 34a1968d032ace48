import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./project.ts";

const text = readFileSync(join(root, "docs", "architecture.md"), "utf8");
const HAZARDS = Array.from({ length: 20 }, (_, n) => `H${n + 1}`);

/** Every file below a folder, as a path within the repository. */
function filesBelow(folder: string): string[] {
  return globSync(`${folder}/**/*.ts`, { cwd: root }).map((path) => `/${path}`);
}

describe("docs/architecture.md", () => {
  it("has one row for each hazard, H1 to H20, and says of each what keeps it from happening", () => {
    const rows = [...text.matchAll(/^\| (H\d+) \| (.*\w.*) \| (.*\w.*) \|$/gm)];
    expect(rows.map(([, hazard]) => hazard)).toEqual(HAZARDS);
  });

  it("names hazards that are tests", () => {
    const tests = filesBelow("test").map((path) => readFileSync(join(root, path), "utf8"));
    // By their titles: the number comes first.
    expect(HAZARDS.filter((hazard) => !tests.some((test) => test.includes(`"${hazard}: `)))).toEqual([]);
  });

  it("names only files and folders that are there", () => {
    const files = filesBelow("src");
    const named = [...text.matchAll(/`([\w./-]+\.ts|src\/[\w/-]+|[\w-]+\/)`/g)].map(([, path]) => path!);
    expect(named.length).toBeGreaterThan(50);
    const isThere = (path: string): boolean =>
      path.endsWith(".ts")
        ? files.some((file) => file.endsWith(`/${path}`))
        : existsSync(join(root, path)) || files.some((file) => file.includes(`/${path}`));
    expect(named.filter((path) => !isThere(path))).toEqual([]);
  });
});
