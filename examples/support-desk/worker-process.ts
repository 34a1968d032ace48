/** A worker as its parent sees it: a process that reports, takes answers, and can be killed. */
import { fork } from "node:child_process";
import { on, once } from "node:events";
import type { WorkerEvent } from "./protocol.ts";

/** A worker that runs. */
export interface WorkerProcess<Command> {
  readonly pid: number;
  /** What it reports, until it ends. */
  events(): AsyncIterable<WorkerEvent>;
  /** Does nothing once the process is gone. */
  send(command: Command): void;
  /** `kill -9`: it can't finish anything, not even a sentence. Resolves when it is gone. */
  kill(): Promise<void>;
  /** Waits for its end, and throws if that was not a good one. */
  ended(): Promise<void>;
}

/** Starts a worker's module. What it writes to stderr goes to `log`, line by line. */
export function startWorker<Command extends object>(module: URL, log: (line: string) => void): WorkerProcess<Command> {
  const child = fork(module, { stdio: ["ignore", "ignore", "pipe", "ipc"] });
  const reports = on(child, "message", { close: ["disconnect"] });
  const exit = once(child, "exit") as Promise<[code: number | null, signal: string | null]>;
  let rest = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(log);
  });

  return {
    pid: child.pid ?? 0,
    async *events() {
      for await (const [report] of reports) yield report as WorkerEvent;
    },
    send: (command) => {
      // A worker that dies at this very moment is no mistake of the sender's: the next one is told again.
      if (child.connected) child.send(command, () => undefined);
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exit;
    },
    ended: async () => {
      const [code, signal] = await exit;
      if (code !== 0) throw new Error(`The worker ${child.pid} ended with ${signal ?? `status ${code}`}. ${rest}`);
    },
  };
}
