import type { BegunTask } from "./load-graph.ts";

/** What all processes write down, into one file, in the order in which it happened. */
export type Line =
  | ({ readonly at: "began"; readonly pid: number } & BegunTask)
  | {
      readonly at: "effect";
      readonly pid: number;
      readonly thread: string;
      readonly what: string;
      readonly key: string;
    }
  /** A commit was acknowledged: the saver has returned. */
  | ({ readonly at: "stored"; readonly pid: number } & StoredCommit)
  /** A client makes a call, and has its result. */
  | { readonly at: "call"; readonly pid: number; readonly thread: string; readonly turn: number; readonly call: string }
  | {
      readonly at: "returned";
      readonly pid: number;
      readonly thread: string;
      readonly call: string;
      readonly checkpoint: string;
    }
  | {
      readonly at: "threw";
      readonly pid: number;
      readonly thread: string;
      readonly call: string;
      readonly error: string;
    }
  /** The parent's own. */
  | { readonly at: "killed"; readonly pid: number }
  | { readonly at: "server goes down" }
  | { readonly at: "server is up" };

/** A commit, with a digest of what is in it. */
export type StoredCommit =
  | { readonly put: string; readonly thread: string; readonly digest: string }
  | {
      readonly writesOf: string;
      readonly thread: string;
      readonly task: string;
      /** Channel and digest of the value; without a digest for what may be replaced later, such as a question. */
      readonly writes: readonly (readonly [channel: string, digest?: string])[];
    };

/** The lines of one kind. */
export function linesAt<At extends Line["at"]>(lines: readonly Line[], at: At): Extract<Line, { at: At }>[] {
  return lines.filter((line): line is Extract<Line, { at: At }> => line.at === at);
}

/** Calls that never came back although their process lived. */
export function callsWithoutEnd(lines: readonly Line[]): string[] {
  const open = new Map<string, string>();
  for (const line of lines) {
    if (line.at === "call") open.set(`${line.pid} ${line.thread}`, `${line.call} of ${line.thread} in ${line.pid}`);
    if (line.at === "returned" || line.at === "threw") open.delete(`${line.pid} ${line.thread}`);
    if (line.at !== "killed") continue;
    for (const key of open.keys()) if (key.startsWith(`${line.pid} `)) open.delete(key);
  }
  return [...open.values()];
}

/** How many calls were under way each time the server went down, and came back in the same process. */
export function callsOverRestarts(lines: readonly Line[]): number {
  const open = new Map<string, number>();
  let restarts = 0;
  let survived = 0;
  for (const line of lines) {
    if (line.at === "server goes down") restarts += 1;
    if (line.at === "call") open.set(`${line.pid} ${line.thread}`, restarts);
    if (line.at === "returned" && (open.get(`${line.pid} ${line.thread}`) ?? restarts) < restarts) survived += 1;
  }
  return survived;
}

/**
 * Tasks that ran again although their result was acknowledged, or although nothing had happened since they began
 * that could have cut them off: no death of their process, no end of the server (I2).
 */
export function tasksRepeated(lines: readonly Line[]): string[] {
  const finished = new Set<string>();
  /** The process that runs it, as long as nothing has cut it off. */
  const running = new Map<string, number>();
  const problems: string[] = [];
  for (const line of lines) {
    if (line.at === "killed") for (const [task, pid] of running) if (pid === line.pid) running.delete(task);
    if (line.at === "server goes down" || line.at === "server is up") running.clear();
    const task = taskFinishedBy(line);
    if (task !== undefined) finished.add(task);
    if (line.at !== "began") continue;
    const where = `${line.what.slice(0, 20)} of ${line.thread}`;
    if (finished.has(line.task)) problems.push(`${where} ran again after its result was acknowledged`);
    if (running.has(line.task)) problems.push(`${where} ran again for no reason`);
    running.set(line.task, line.pid);
  }
  return problems;
}

/** Effects under `once` that were done with two keys, or after the task they belong to was finished. */
export function effectsRepeated(lines: readonly Line[]): string[] {
  const keys = new Map<string, string>();
  const taskOf = new Map<string, string>();
  const finished = new Set<string>();
  const problems: string[] = [];
  for (const line of lines) {
    const task = taskFinishedBy(line);
    if (task !== undefined) finished.add(task);
    if (line.at === "began") taskOf.set(`${line.what.slice(0, 20)} of ${line.thread}`, line.task);
    if (line.at !== "effect") continue;
    const effect = `${line.what.slice(0, 20)} of ${line.thread}`;
    if (finished.has(taskOf.get(effect) ?? "")) problems.push(`${effect} again after its task was finished`);
    if ((keys.get(effect) ?? line.key) !== line.key) problems.push(`${effect} again with another key`);
    keys.set(effect, line.key);
  }
  return problems;
}

/** The task whose result this line acknowledges; not that of a call inside of a task. */
function taskFinishedBy(line: Line): string | undefined {
  if (line.at !== "stored" || !("task" in line)) return undefined;
  return line.writes.some(([channel]) => channel === "log") ? line.task : undefined;
}
