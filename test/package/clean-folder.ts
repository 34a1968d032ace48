import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { readManifest, root } from "./project.ts";

const run = promisify(execFile);

/**
 * A folder of somebody who uses the built package: with its dependencies, and of other packages those that are named. It has a
 * tsconfig.json for programs that Node.js runs as they are.
 */
export async function cleanFolder(
  packages: readonly string[],
): Promise<{ readonly folder: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "perdure-clean-"));
  const modules = join(folder, "node_modules");
  const build = ["-p", join(root, "tsconfig.build.json"), "--outDir", join(modules, "perdure", "dist")];
  await mkdir(join(modules, "perdure"), { recursive: true });
  await run(join(root, "node_modules", ".bin", "tsc"), build);
  await cp(join(root, "package.json"), join(modules, "perdure", "package.json"));
  for (const name of [...Object.keys(readManifest().dependencies), ...packages]) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, "node_modules", name), join(modules, name), "dir").catch(unlessThere);
  }
  await writeFile(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  const compilerOptions = {
    target: "es2024",
    module: "nodenext",
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    skipLibCheck: true,
    types: ["node"],
    typeRoots: [join(root, "node_modules", "@types")],
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions }));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Type-checks the programs of a folder. @returns what is wrong with them */
export async function typeErrors(folder: string): Promise<string> {
  const checked = run(join(root, "node_modules", ".bin", "tsc"), ["-p", folder], { env: plainEnvironment() });
  return checked.then(
    () => "",
    (error: { stdout: string }) => error.stdout,
  );
}

/** As a user's shell has it: without the condition that leads `perdure` to src. */
export function plainEnvironment(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { ...process.env, NODE_OPTIONS: "--disable-warning=ExperimentalWarning", ...more };
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}
