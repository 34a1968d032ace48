// Checks what would be published: publint and attw on the packed tarball, and an import of each subpath of dist
// as a user's program does it. Run it after the build.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lastLine, runCommand } from "./run-command.ts";

const root = join(import.meta.dirname, "..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { exports: Record<string, unknown> };
const names = Object.keys(manifest.exports)
  .filter((subpath) => subpath !== "./package.json")
  .map((subpath) => `perdure${subpath.slice(1)}`);
// Inside its own folder a package finds itself by name; without our condition that leads to dist.
const asUser = { env: { ...process.env, NODE_OPTIONS: "" } };
const importAll = `await Promise.all(${JSON.stringify(names)}.map((name) => import(name)))`;

const folder = mkdtempSync(join(tmpdir(), "perdure-pack-"));
try {
  const packed = await check("npm", ["pack", "--ignore-scripts", "--silent", `--pack-destination=${folder}`]);
  const tarball = join(folder, lastLine(packed));
  await check("publint", ["run", "--strict", tarball]);
  await check("attw", ["--profile", "esm-only", "--no-emoji", "--format", "table-flipped", tarball]);
  await check(process.execPath, ["--input-type=module", "--eval", importAll]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Runs one check and returns its stdout. What a failing one says is printed. */
async function check(command: string, args: string[]): Promise<string> {
  const { ok, why, stdout, output } = await runCommand(command, args, asUser);
  if (!ok) {
    console.log(`${output.trimEnd()}\n${command} failed: ${why}`);
    process.exitCode = 1;
  }
  return stdout;
}
