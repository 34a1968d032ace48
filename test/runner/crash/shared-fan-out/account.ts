import type { BegunTask } from "./fan-out-graph.ts";

/** What the processes that share fan-outs write down, all into one file. */
export type Line =
  | ({ readonly at: "began"; readonly pid: number } & BegunTask)
  /** The commit of a task's result has returned. */
  | { readonly at: "stored"; readonly pid: number; readonly task: string }
  /** A process is gone. */
  | { readonly at: "killed"; readonly pid: number }
  /** Results that were seen in the database. */
  | { readonly at: "found"; readonly tasks: readonly string[] };

/**
 * Tasks that ran again although their result was stored, or although no process that ran them was
 * killed before it was (I2). One entry says what is wrong with one of them.
 */
export function repeatedTasks(lines: readonly Line[]): string[] {
  const stored = new Set<string>();
  const running = new Map<string, Extract<Line, { at: "began" }>>();
  const problems: string[] = [];
  for (const line of lines) {
    if (line.at === "found") for (const task of line.tasks) stored.add(task);
    if (line.at === "stored") {
      stored.add(line.task);
      running.delete(line.task);
    }
    if (line.at === "killed") for (const [task, { pid }] of running) if (pid === line.pid) running.delete(task);
    if (line.at === "began") {
      const where = `${line.what} of ${line.thread}`;
      if (stored.has(line.task)) problems.push(`${where} ran again after its result was stored`);
      if (running.has(line.task)) problems.push(`${where} ran twice at the same time`);
      running.set(line.task, line);
    }
  }
  return problems;
}

/** How many tasks began in all, and how many of those were begun again. */
export function countBegun(lines: readonly Line[]): { begun: number; again: number } {
  const tasks = lines.flatMap((line) => (line.at === "began" ? [line.task] : []));
  return { begun: tasks.length, again: tasks.length - new Set(tasks).size };
}
