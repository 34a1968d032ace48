/** A process that drives a thread, and what others do to it meanwhile: cancel it, cut it off, stop it. */
import { execFile } from "node:child_process";
import { on } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { startProcess } from "../../../support/crash-process.ts";
import type { CrashProcess } from "../../../support/crash-process.ts";
import { collect } from "../../../support/collect.ts";
import { describeWithPostgres, freshDatabase } from "../../../support/fresh-database.ts";
import type { FreshDatabase } from "../../../support/fresh-database.ts";
import type { ChildEvent, Release, StartOrder } from "./child.ts";
import { raceGraph } from "./race-graph.ts";

const run = promisify(execFile);
/** How often a driver looks whether its thread was cancelled elsewhere is 1 s; the rest is for a busy machine. */
const CANCEL_REACHES_WITHIN_MS = 30_000;

describeWithPostgres("a thread that another process drives", () => {
  let database: FreshDatabase;
  let admin: Client;
  let checkpointer: Checkpointer;
  let child: Child;
  let threads = 0;
  let thread = "";

  beforeAll(async () => {
    database = await freshDatabase();
    checkpointer = await openCheckpointer(database.url);
    admin = new Client({ connectionString: database.url });
    await admin.connect();
  });
  afterAll(async () => {
    await admin.end();
    await checkpointer.close();
    await database.drop();
  });
  beforeEach(() => {
    thread = `thread ${(threads += 1)}`;
    child = startChild();
  });
  afterEach(() => child.process.kill());

  /** A runner of this process, whose work is done at once. */
  const runner = (ran: string[] = []) =>
    createRunner(
      raceGraph({
        quick: () => {
          ran.push("quick");
          return "quick again";
        },
        work: async () => {
          ran.push("work");
          return "worked here";
        },
      }),
      { name: "here", checkpointer },
    );
  /** Waits until the quick sibling's result is stored, which its process does beside the work. */
  const quickIsStored = (): Promise<void> =>
    until(async () => {
      const { tasks } = await runner().inspect(thread);
      return tasks.length === 1 && tasks[0]?.node === "work";
    });
  /** Ends the connections that hold advisory locks, as a network would that drops them. */
  const cutLocks = async (): Promise<void> => {
    const { rowCount } = await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks
        WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    expect(rowCount).toBe(1);
  };

  it("I7: a cancel reaches its running node, and what that returns later is not applied", async () => {
    child.send({ url: database.url, threadId: thread });
    await child.told("working");
    await quickIsStored();

    const cancelledAt = performance.now();
    const cancelled = await runner().cancel(thread, "changed my mind");
    expect(cancelled).toMatchObject({ status: "cancelled", next: ["work"], values: { log: ["quick"] } });
    await child.told("aborted");
    expect(performance.now() - cancelledAt).toBeLessThan(CANCEL_REACHES_WITHIN_MS);
    expect(await child.told("ended")).toMatchObject({ result: "cancelled", log: ["quick"] });

    child.send({ line: "too late" });
    await child.told("returned");
    expect(await runner().inspect(thread)).toEqual(cancelled);
    const ran: string[] = [];
    expect(await runner(ran).continue(thread)).toMatchObject({
      status: "done",
      values: { log: ["quick", "worked here", "after 2"] },
    });
    expect(ran).toEqual(["work"]);
  });

  it("I7: a late result is not applied either when the thread went on meanwhile", async () => {
    child.send({ url: database.url, threadId: thread });
    await child.told("working");
    await quickIsStored();
    await runner().cancel(thread, "changed my mind");
    await child.told("ended");
    const done = await runner().continue(thread);
    expect(done).toMatchObject({ status: "done", values: { log: ["quick", "worked here", "after 2"] } });

    child.send({ line: "too late" });
    await child.told("returned");
    expect(await runner().inspect(thread)).toEqual(done);
  });

  it("a driver whose lock is lost stops, takes it again, and runs only what was not stored", async () => {
    child.send({ url: database.url, threadId: thread });
    await child.told("working");
    await quickIsStored();

    await cutLocks();
    await child.told("aborted");
    await child.told("working");
    await expect(runner().continue(thread)).rejects.toMatchObject({ code: "THREAD_BUSY" });
    child.send({ line: "worked there" });
    expect(await child.told("ended")).toMatchObject({ result: "done", log: ["quick", "worked there", "after 2"] });
    expect(await runner().inspect(thread)).toMatchObject({ status: "done" });
    expect(await collect(runner().history(thread))).toHaveLength(4);
  });

  it("I4: a process that was stopped can't commit over the one that took over", async () => {
    child.send({ url: database.url, threadId: thread, stopBefore: "checkpoint" });
    await child.told("working");
    child.send({ line: "worked there" });
    // both results are stored; the process stands still before the checkpoint that they make
    await until(() => child.isStopped());
    expect(await runner().inspect(thread)).toMatchObject({ status: "ready", tasks: [] });
    await expect(runner().continue(thread)).rejects.toMatchObject({ code: "THREAD_BUSY" });

    await cutLocks(); // the server lets go of it
    const ran: string[] = [];
    const done = await runner(ran).continue(thread, { whenBusy: "enqueue" });
    expect(done).toMatchObject({ status: "done", values: { log: ["quick", "worked there", "after 2"] } });
    expect(ran).toEqual([]);
    const history = await collect(runner().history(thread));

    child.process.process.kill("SIGCONT");
    expect(await child.told("tried")).toMatchObject({ result: "CHECKPOINT_CONFLICT" });
    expect(await child.told("ended")).toMatchObject({ result: "done", log: done.values.log });
    expect(await runner().inspect(thread)).toEqual(done);
    expect(await collect(runner().history(thread))).toEqual(history);
  });

  it("I4: a process that was stopped before its result was stored changes nothing when it goes on", async () => {
    child.send({ url: database.url, threadId: thread, stopBefore: "result" });
    await child.told("working");
    await quickIsStored();
    child.send({ line: "worked there" });
    await until(() => child.isStopped());

    await cutLocks();
    const ran: string[] = [];
    const done = await runner(ran).continue(thread, { whenBusy: "enqueue" });
    expect(done).toMatchObject({ status: "done", values: { log: ["quick", "worked here", "after 2"] } });
    expect(ran).toEqual(["work"]);
    const history = await collect(runner().history(thread));

    child.process.process.kill("SIGCONT");
    await child.told("tried");
    expect(await child.told("ended")).toMatchObject({ result: "done", log: done.values.log });
    expect(await runner().inspect(thread)).toEqual(done);
    expect(await collect(runner().history(thread))).toEqual(history);
  });
});

interface Child {
  readonly process: CrashProcess;
  send(message: StartOrder | Release): void;
  /** The next event of this type; passes over others. */
  told<Type extends ChildEvent["type"]>(type: Type): Promise<Extract<ChildEvent, { type: Type }>>;
  /** Whether the whole process is stopped by a signal. */
  isStopped(): Promise<boolean>;
}

function startChild(): Child {
  const started = startProcess(new URL("child.ts", import.meta.url));
  const events = on(started.process, "message", { close: ["disconnect"] });
  return {
    process: started,
    send: (message) => void started.process.send(message),
    async told(type) {
      for (;;) {
        const { value, done } = await events.next();
        if (done === true)
          throw new Error(`The child ended before it told "${type}": ${JSON.stringify(await started.ended)}`);
        const [event] = value as [ChildEvent];
        if (event.type === type) return event as never;
      }
    },
    isStopped: async () => {
      const { stdout } = await run("ps", ["-o", "state=", "-p", String(started.process.pid)]);
      return stdout.trim().startsWith("T");
    },
  };
}

/** Asks again and again, until it holds or the test's time is over. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(20);
}
