import { randomUUID } from "node:crypto";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import type { Checkpointer } from "perdure/checkpoint";
import { Pool } from "pg";

/** A node that began, as it stands in the ledger. */
export interface Entry {
  /** Ascends over all processes. */
  readonly at: number;
  /** The process, or the one that is dead. */
  readonly pid: number;
  readonly thread: string;
  readonly task: string;
  readonly node: string;
  /** What the node returns if this run of it is the one that counts. */
  readonly token: string;
  /** Whether the result of its task was stored when it began. */
  readonly stored: boolean;
  readonly finished: boolean;
}

/** A line of the ledger: a node that began, or a process with which something happened. */
export type Line = Entry & { readonly kind: "began" | "dead" | "stalled" };

/** What the processes of a test did, all in one table of the database that also holds the checkpoints. */
export class Ledger {
  readonly #pool: Pool;

  constructor(url: string) {
    this.#pool = new Pool({ connectionString: url, max: 4 });
    this.#pool.on("error", () => {}); // a server that restarts
  }

  async create(): Promise<void> {
    await this.#pool
      .query(`CREATE TABLE ledger (at serial PRIMARY KEY, kind text NOT NULL, pid int NOT NULL, thread text,
      task text, node text, token text, stored boolean, finished boolean NOT NULL DEFAULT false)`);
    await this.#pool.query("CREATE TABLE charges (thread text NOT NULL, round int NOT NULL)");
  }

  /** A node begins; returns what it is to put into the state. */
  async begin(node: string, { executionInfo }: LangGraphRunnableConfig, checkpointer: Checkpointer): Promise<string> {
    const { threadId = "", taskId = "", checkpointId = "" } = executionInfo ?? {};
    const token = `${node}:${randomUUID()}`;
    const stored = await isStored(checkpointer, threadId, checkpointId, taskId);
    await this.#pool.query(
      "INSERT INTO ledger (kind, pid, thread, task, node, token, stored) VALUES ('began', $1, $2, $3, $4, $5, $6)",
      [process.pid, threadId, taskId, node, token, stored],
    );
    return token;
  }

  /** A node is about to return. */
  async finish(token: string): Promise<void> {
    await this.#pool.query("UPDATE ledger SET finished = true WHERE token = $1", [token]);
  }

  /** A process is gone, or noticed that it stood still so long that it may have been taken for that. */
  async note(kind: "dead" | "stalled", pid: number): Promise<void> {
    await this.#pool.query("INSERT INTO ledger (kind, pid) VALUES ($1, $2)", [kind, pid]);
  }

  async read(): Promise<Line[]> {
    const { rows } = await this.#pool.query("SELECT * FROM ledger ORDER BY at");
    return rows as Line[];
  }

  /** How many nodes have begun. */
  async begun(): Promise<number> {
    const { rows } = await this.#pool.query("SELECT count(*)::int AS begun FROM ledger WHERE kind = 'began'");
    return (rows[0] as { begun: number }).begun;
  }

  /** One of the processes that has begun so many nodes at least which are not finished. */
  async inMiddleOfNodes(pids: readonly number[], nodes: number): Promise<number | undefined> {
    const { rows } = await this.#pool.query(
      "SELECT pid FROM ledger WHERE NOT finished AND pid = ANY ($1) GROUP BY pid HAVING count(token) >= $2 LIMIT 1",
      [pids, nodes],
    );
    return (rows[0] as { pid: number } | undefined)?.pid;
  }

  async charges(): Promise<{ readonly thread: string; readonly round: number }[]> {
    const { rows } = await this.#pool.query("SELECT thread, round FROM charges ORDER BY thread, round");
    return rows as { readonly thread: string; readonly round: number }[];
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}

async function isStored(
  checkpointer: Checkpointer,
  thread_id: string,
  checkpoint_id: string,
  taskId: string,
): Promise<boolean> {
  const tuple = await checkpointer.getTuple({ configurable: { thread_id, checkpoint_ns: "", checkpoint_id } });
  // what stands there of a task that is not done: its answers, what it asks, and calls inside of it
  const isResult = (channel: string): boolean => !/^__(?:resume|interrupt|return|error)/u.test(channel);
  return (tuple?.pendingWrites ?? []).some(([id, channel]) => id === taskId && isResult(channel));
}

/**
 * What contradicts that a completed node ran once: each run of a task but its last one died before its result was
 * stored, and the state holds what the last one returned. One entry says what is wrong with one task.
 */
export function repeatedNodes(lines: readonly Line[], inState: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  const running = new Map<string, Entry>();
  const last = new Map<string, Entry>();
  // noticed when it is over, which may be after somebody else has taken over
  const stalledAfter = ({ pid, at }: Entry): boolean =>
    lines.some((line) => line.kind === "stalled" && line.pid === pid && line.at > at);
  for (const line of lines) {
    if (line.kind === "dead") for (const [task, { pid }] of running) if (pid === line.pid) running.delete(task);
    if (line.kind !== "began") continue;
    const where = `${line.node} of ${line.thread}`;
    const before = running.get(line.task);
    if (line.stored) problems.push(`${where} began although its result was stored`);
    if (before !== undefined && !stalledAfter(before))
      problems.push(`${where} began again although who ran it had not died`);
    running.set(line.task, line);
    last.set(line.task, line);
  }
  const tasks = new Map(lines.flatMap(({ kind, token, task }) => (kind === "began" ? [[token, task] as const] : [])));
  const seen = new Set<string>();
  for (const token of inState) {
    const task = tasks.get(token) ?? "";
    if (seen.has(task))
      problems.push(`two results of ${last.get(task)?.node} of ${last.get(task)?.thread} are in the state`);
    seen.add(task);
  }
  for (const { node, thread, token, task } of last.values()) {
    const isLast =
      inState.has(token) || lines.some((line) => line.task === task && inState.has(line.token) && stalledAfter(line));
    if (!isLast) problems.push(`what the last run of ${node} of ${thread} returned is not in the state`);
  }
  return problems;
}
