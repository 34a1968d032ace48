import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./project.ts";

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
  packages: Record<string, LockedPackage>;
};
const locked = Object.entries(packages).filter(([path]) => path !== "");

describe("package-lock.json", () => {
  // An `npm install` over an existing node_modules drops the packages of other platforms from the lockfile, and
  // `npm ci` then fails. `npm install --package-lock-only` without the old lockfile writes them.
  it("has every optional package of every platform, so that npm ci works on each", () => {
    const names = new Set(locked.map(([path]) => path.slice(path.lastIndexOf("node_modules/") + 13)));
    const wanted = locked.flatMap(([, { optionalDependencies = {} }]) => Object.keys(optionalDependencies));
    expect(wanted.filter((name) => !names.has(name))).toEqual([]);
  });

  it("pins every package by version and hash, and names no registry", () => {
    for (const [path, { version, integrity, resolved }] of locked) {
      expect({ path, version, integrity, resolved }).toEqual({
        path,
        version: expect.any(String),
        integrity: expect.stringMatching(/^sha512-/),
        resolved: undefined,
      });
    }
  });
});
