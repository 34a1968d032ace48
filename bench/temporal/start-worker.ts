import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { MemoryTaken, WorkerAnswer, WorkerKind, WorkerQuestion } from "./worker-messages.ts";

/** A worker in a process of its own. */
export interface WorkerProcess {
  /** The CPU time that the process has taken since it began, in milliseconds. */
  cpuMs(): Promise<number>;
  /** Collects its garbage, so that what is measured next does not pay for it. */
  collectGarbage(): Promise<void>;
  memory(): Promise<MemoryTaken>;
  stop(): Promise<void>;
}

const program = fileURLToPath(new URL("worker-process.ts", import.meta.url));
const inEachThread = ["--import", new URL("thread-memory.ts", import.meta.url).href];

/** Starts a worker and waits until it polls. */
export async function startWorker(kind: WorkerKind): Promise<WorkerProcess> {
  const child = fork(program, [JSON.stringify(kind)], { execArgv: [...process.execArgv, ...inEachThread] });
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`The worker of "${kind.taskQueue}" ended with exit code ${String(code)}.`);
  });
  ended.catch(() => {}); // heard of by whoever asks it something
  const told = async (): Promise<WorkerAnswer> => {
    const [said] = (await Promise.race([once(child, "message"), ended])) as [WorkerAnswer];
    return said;
  };
  const ask = async <Answer extends WorkerAnswer["answer"]>(
    question: WorkerQuestion & Answer,
  ): Promise<Extract<WorkerAnswer, { answer: Answer }>> => {
    child.send(question);
    const said = await told();
    if (said.answer !== question) throw new Error(`A worker was asked for ${question} and said ${said.answer}.`);
    return said as Extract<WorkerAnswer, { answer: Answer }>;
  };
  const ready = await told();
  if (ready.answer !== "ready") throw new Error(`A worker said ${ready.answer} before it was ready.`);
  return {
    cpuMs: async () => (await ask("cpu")).cpuMs,
    collectGarbage: async () => void (await ask("garbage")),
    memory: async () => (await ask("memory")).memory,
    async stop() {
      if (child.exitCode !== null) return;
      child.send("stop" satisfies WorkerQuestion);
      await once(child, "exit");
    },
  };
}
