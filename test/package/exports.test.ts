import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { readManifest, root } from "./project.ts";

const manifest = readManifest();
const entries = Object.entries(manifest.exports).filter(([subpath]) => subpath !== "./package.json");
const optionalPeers = Object.keys(manifest.peerDependenciesMeta);

// Imports each subpath as a user would and reports which optional peers were asked for meanwhile, and by whom.
const importAll = `
import { registerHooks } from "node:module";
const { names, optionalPeers } = JSON.parse(process.argv[1]);
const report = { imported: [], asked: [] };
registerHooks({
  resolve(specifier, context, next) {
    const peer = optionalPeers.find((name) => specifier === name || specifier.startsWith(name + "/"));
    if (peer) report.asked.push(peer + " by " + context.parentURL);
    return next(specifier, context);
  },
});
for (const name of names) {
  const module = await import(name);
  if (!("default" in module)) report.imported.push(name);
}
console.log(JSON.stringify(report));`;

describe("the exports map", () => {
  it("has a subpath for each room of src", () => {
    const rooms = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const subpaths = entries.map(([subpath]) => subpath).filter((subpath) => subpath !== ".");
    // The bridge has one for each place where its code runs.
    const bridge = ["client", "worker", "workflow"].map((place) => `./temporal/${place}`);
    const own = rooms.flatMap(({ name }) => (name === "temporal-bridge" ? bridge : [`./${name}`]));
    expect(subpaths.sort()).toEqual(own.sort());
  });

  it.each(entries)("%s leads to a source file, and to what the build makes of it", (_subpath, conditions) => {
    if (typeof conditions === "string") throw new Error("A subpath without conditions.");
    const source = conditions["perdure-source"];
    expect(source).toMatch(/^\.\/src\/.*\.ts$/);
    expect(existsSync(join(root, source!))).toBe(true);
    const built = source!.replace("./src/", "./dist/");
    expect(conditions["types"]).toBe(built.replace(/\.ts$/, ".d.ts"));
    expect(conditions["default"]).toBe(built.replace(/\.ts$/, ".js"));
    // The first condition that holds wins.
    expect(Object.keys(conditions)).toEqual(["perdure-source", "types", "default"]);
  });

  it.each([
    ["can be imported, with named exports only, and no optional peer is asked for", false],
    ["loads the bridge to Temporal by subpaths of its own, which ask for nothing but Temporal", true],
  ])("%s", async (_promise, isBridge) => {
    const subpaths = entries
      .map(([subpath]) => subpath)
      .filter((subpath) => subpath.startsWith("./temporal/") === isBridge);
    const names = subpaths.map((subpath) => `perdure${subpath.slice(1)}`);
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        "--conditions=perdure-source",
        "--disable-warning=ExperimentalWarning",
        "--input-type=module",
        "--eval",
        importAll,
        JSON.stringify({ names, optionalPeers }),
      ],
      { cwd: root },
    );
    const { imported, asked } = JSON.parse(stdout) as { imported: string[]; asked: string[] };
    expect(imported).toEqual(names);
    expect(asked.filter((peer) => !(isBridge && peer.startsWith("@temporalio/")))).toEqual([]);
  });
});
