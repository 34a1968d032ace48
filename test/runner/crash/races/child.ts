/**
 * Another process that starts one thread of the race graph. Its work does not look at its signal and
 * lasts until the parent says what it returns. It lives until it is killed.
 */
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { isPerdureError } from "perdure/errors";
import { createRunner } from "perdure/runner";
import { overriding } from "../../../support/crash-overriding.ts";
import { raceGraph } from "./race-graph.ts";

/** What the parent sends first. */
export interface StartOrder {
  readonly url: string;
  readonly threadId: string;
  /** Stops the whole process (SIGSTOP) when the work is done, right before that or the next checkpoint is stored. */
  readonly stopBefore?: "result" | "checkpoint";
}

/** What it sends then: what the work returns. */
export interface Release {
  readonly line: string;
}

/** What the child tells. */
export type ChildEvent =
  | { readonly type: "working" }
  | { readonly type: "aborted" }
  /** The work has returned, early or late. */
  | { readonly type: "returned" }
  /** What the process was stopped before was tried when it went on. */
  | { readonly type: "tried"; readonly result: string }
  | { readonly type: "ended"; readonly result: string; readonly log?: readonly string[] };

const tell = (event: ChildEvent): unknown => process.send?.(event);
const codeOf = (error: unknown): string => (isPerdureError(error) ? error.code : String(error));

process.once("disconnect", () => process.exit()); // the parent is gone
process.once("message", (order: StartOrder) => void start(order));

async function start({ url, threadId, stopBefore }: StartOrder): Promise<void> {
  const released = Promise.withResolvers<string>();
  process.on("message", ({ line }: Release) => released.resolve(line));
  const checkpointer = await openCheckpointer(url);
  const graph = raceGraph({
    quick: () => "quick",
    work: async (signal) => {
      signal.addEventListener("abort", () => tell({ type: "aborted" }), { once: true });
      tell({ type: "working" });
      const line = await released.promise;
      setImmediate(() => tell({ type: "returned" }));
      return line;
    },
  });
  const runner = createRunner(graph, {
    name: "child",
    checkpointer: stopBefore === undefined ? checkpointer : stopping(checkpointer, stopBefore, released.promise),
  });
  await runner.start(threadId, { log: [] }).then(
    ({ status, values }) => tell({ type: "ended", result: status, log: values.log }),
    (error: unknown) => tell({ type: "ended", result: codeOf(error) }),
  );
}

/** Stops the process before the first commit of the kind that comes after the work. */
function stopping(checkpointer: Checkpointer, before: "result" | "checkpoint", worked: Promise<unknown>): Checkpointer {
  let isWorked = false;
  void worked.then(() => (isWorked = true));
  const writes: Promise<void>[] = [];
  const stopThen = <T>(commit: () => Promise<T>): Promise<T> => {
    process.kill(process.pid, "SIGSTOP"); // returns when somebody sent SIGCONT
    const tried = commit();
    tried.then(
      () => tell({ type: "tried", result: "stored" }),
      (error: unknown) => tell({ type: "tried", result: codeOf(error) }),
    );
    return tried;
  };
  const commits: Pick<Checkpointer, "put" | "putWrites"> = {
    putWrites: (...args) => {
      const write = () => checkpointer.putWrites(...args);
      const written = isWorked && before === "result" ? stopThen(write) : write();
      writes.push(written);
      return written;
    },
    put: async (...args) => {
      const put = () => checkpointer.put(...args);
      if (!isWorked || before !== "checkpoint") return put();
      // LangGraph does not wait for the results; a process that stops in the middle of a commit would hold up the others
      await Promise.all(writes);
      return stopThen(put);
    },
  };
  return overriding(checkpointer, commits);
}
