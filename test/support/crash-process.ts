import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** A program of a test in a process of its own. */
export interface CrashProcess {
  readonly process: ChildProcess;
  /** How it ended, and the end of what it wrote to stderr. */
  readonly ended: Promise<{
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
    readonly said: string;
  }>;
  /** `kill -9`; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Starts a program that node runs as it is, with this package's sources. */
export function startProcess(program: URL): CrashProcess {
  const child = fork(program, {
    execArgv: ["--conditions=perdure-source"],
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4_000);
  });
  const ended = once(child, "close").then(() => ({ code: child.exitCode, signal: child.signalCode, said }));
  return {
    process: child,
    ended,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
