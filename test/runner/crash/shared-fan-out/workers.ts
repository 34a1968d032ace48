import { startProcess } from "../../../support/crash-process.ts";
import type { CrashProcess } from "../../../support/crash-process.ts";
import type { Setup, StepCall, WorkerMessage } from "./worker.ts";

/** What came of a call: it returned, threw, or its worker was killed. */
export type CallResult = "returned" | "died" | { readonly error: string };

interface Worker {
  readonly process: CrashProcess;
  readonly calls: Map<number, (result: CallResult) => void>;
}

/** A few worker processes; one that is killed is replaced at once. */
export class Workers {
  readonly #setup: Setup;
  readonly #event: () => void;
  readonly #workers: Promise<Worker>[];
  #calls = 0;
  #closed = false;

  /** @param event called whenever a worker tells that a task began or was stored */
  constructor(count: number, setup: Setup, event: () => void) {
    this.#setup = setup;
    this.#event = event;
    this.#workers = Array.from({ length: count }, () => this.#start());
  }

  get count(): number {
    return this.#workers.length;
  }

  /** Has a worker run tasks; resolves in any case. */
  async step(index: number, threadId: string, tasks: readonly string[]): Promise<CallResult> {
    const worker = await this.#worker(index);
    const id = (this.#calls += 1);
    const result = Promise.withResolvers<CallResult>();
    worker.calls.set(id, result.resolve);
    worker.process.process.send({ id, threadId, tasks } satisfies StepCall, (error) => {
      if (error !== null) result.resolve("died");
    });
    return result.promise;
  }

  /** Kills one, starts another in its place, and returns the pid of the dead one when it is gone. */
  async kill(index: number): Promise<number> {
    const worker = await this.#worker(index);
    if (!this.#closed) this.#workers[index] = this.#start();
    await worker.process.kill();
    return worker.process.process.pid ?? 0;
  }

  /** Kills all of them. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#workers.map((_, index) => this.kill(index)));
  }

  #worker(index: number): Promise<Worker> {
    const worker = this.#workers[index];
    if (worker === undefined) throw new Error(`There is no worker ${index}.`);
    return worker;
  }

  async #start(): Promise<Worker> {
    const started = startProcess(new URL("worker.ts", import.meta.url));
    const worker: Worker = { process: started, calls: new Map() };
    const ready = Promise.withResolvers<void>();
    started.process.on("message", (message: WorkerMessage) => {
      if (message.type === "ready") ready.resolve();
      else if (message.type === "event") this.#event();
      else {
        worker.calls.get(message.id)?.(message.error === undefined ? "returned" : { error: message.error });
        worker.calls.delete(message.id);
      }
    });
    void started.ended.then(({ code, signal, said }) => {
      for (const resolve of worker.calls.values()) resolve("died");
      ready.reject(new Error(`A worker ended with ${signal ?? `status ${code}`}. It said: ${said}`));
    });
    started.process.send(this.#setup);
    await ready.promise;
    return worker;
  }
}
