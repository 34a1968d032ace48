import { globSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { readManifest, root } from "./project.ts";

interface Import {
  readonly file: string;
  readonly packageName: string;
  /** `static` is loaded with the file that holds it, `lazy` when it is called, `type` never. */
  readonly how: "static" | "lazy" | "type";
}

const { dependencies, peerDependencies, peerDependenciesMeta } = readManifest();
const imports = globSync(join(root, "src", "**", "*.ts")).flatMap(importsOf);

describe("the packages that src imports", () => {
  it("are declared as dependencies or peers", () => {
    const declared = { ...dependencies, ...peerDependencies };
    expect(imports.filter(({ packageName }) => !(packageName in declared))).toEqual([]);
  });

  it("are loaded on demand only, or for their types, where they are optional peers", () => {
    const optional = imports.filter(({ packageName }) => peerDependenciesMeta[packageName]?.optional);
    // The bridge is nothing without Temporal, and has subpaths of its own.
    const isBridge = ({ file, packageName }: Import) =>
      file.startsWith(join("src", "temporal-bridge")) && packageName.startsWith("@temporalio/");
    expect(optional.filter((found) => found.how === "static" && !isBridge(found))).toEqual([]);
  });

  it("are all there is: nothing is declared that src does not import", () => {
    const imported = new Set(imports.map(({ packageName }) => packageName));
    const declared = Object.keys({ ...dependencies, ...peerDependencies });
    expect(declared.filter((name) => !imported.has(name))).toEqual([]);
  });
});

/** The imports of packages in a file; the formatter and the linter see to it that they have one of these forms. */
function importsOf(path: string): Import[] {
  const text = readFileSync(path, "utf8");
  const file = relative(root, path);
  const found: Import[] = [];
  const add = (specifier: string, how: Import["how"]) => {
    if (specifier.startsWith(".") || isBuiltin(specifier)) return;
    const packageName = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
    found.push({ file, packageName, how });
  };
  for (const [, type, specifier] of text.matchAll(/^(?:import|export)\s+(type\s)?[^;"']*?from\s+"([^"]+)"/gm)) {
    add(specifier!, type === undefined ? "static" : "type");
  }
  for (const [, specifier] of text.matchAll(/^import\s+"([^"]+)"/gm)) add(specifier!, "static");
  for (const [, specifier] of text.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g)) add(specifier!, "lazy");
  return found;
}
