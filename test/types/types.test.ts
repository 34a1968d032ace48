import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { root } from "../package/project.ts";

const files = globSync(join(import.meta.dirname, "*.test-d.ts"))
  .map((path) => basename(path))
  .sort();

describe("the types", () => {
  let compilerSaid: string[];

  beforeAll(async () => {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const stdout = await new Promise<string>((resolve, reject) => {
      execFile(
        process.execPath,
        [tsc, "-p", import.meta.dirname, "--pretty", "false"],
        { cwd: root },
        (error, output) => {
          // Status 1 and 2 mean that it found errors, which are in its output.
          if (error && typeof error.code !== "number") reject(error);
          else resolve(output);
        },
      );
    });
    // Lines that go with an error are indented.
    compilerSaid = stdout.split(/\n(?!\s)/).filter((line) => line !== "");
  });

  it("were looked at: the compiler speaks of files, and not of its options", () => {
    expect(files).not.toEqual([]);
    expect(compilerSaid.filter((line) => !/^\S+\(\d+,\d+\): error TS/.test(line))).toEqual([]);
  });

  it.each(files)("hold in %s", (file) => {
    expect(compilerSaid.filter((line) => line.startsWith(`test/types/${file}(`))).toEqual([]);
  });
});
