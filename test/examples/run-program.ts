import { execFile } from "node:child_process";

/** How a program ended, and what it said. */
export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that takes longer stands still. Less than a test has, which then tells what the program said. */
const LIMIT_MS = 240_000;

/** Runs a program of this project to its end; the status is null when it was killed because it didn't come to one. */
export function runProgram(
  path: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ["--conditions=perdure-source", path, ...args],
      { env, timeout: LIMIT_MS, killSignal: "SIGKILL" },
      (_, stdout, stderr) => resolve({ status: child.exitCode, stdout, stderr }),
    );
  });
}
