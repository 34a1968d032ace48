/** What the parent knows of the threads, from what the workers report; and when it is time to kill one. */
import type { CustomerMessage } from "./batch.ts";
import type { ThreadEvent, ThreadSummary } from "./protocol.ts";

/** One thread. */
export interface BoardRow {
  readonly threadId: string;
  readonly customer: string;
  phase: "new" | "running" | "waiting" | "lost" | "finished";
  /** The nodes that run right now. */
  nodes: string[];
  /** Pieces of text and of tool calls that the model has streamed so far. */
  tokens: number;
  /** Whether a worker found it unfinished, and went on with it. */
  resumed: boolean;
  startedAt: number;
  finishedAt: number;
  summary: ThreadSummary | undefined;
}

/** All threads, in the order of their messages. */
export type Board = ReadonlyMap<string, BoardRow>;

/** A board on which nothing has happened yet. */
export function createBoard(messages: readonly CustomerMessage[]): Board {
  const untouched = { phase: "new", tokens: 0, resumed: false, startedAt: 0, finishedAt: 0 } as const;
  return new Map(
    messages.map(({ threadId, customer }) => [
      threadId,
      { threadId, customer, ...untouched, nodes: [], summary: undefined },
    ]),
  );
}

/** Notes what a worker reports. */
export function applyEvent(board: Board, event: ThreadEvent, now: number): void {
  const row = board.get(event.threadId);
  if (row === undefined) return;
  if (row.startedAt === 0) row.startedAt = now;
  switch (event.type) {
    case "found":
      row.nodes = [];
      if (event.status === "done") break;
      row.phase = "running";
      row.resumed ||= event.status !== "new";
      break;
    case "node":
      row.phase = "running";
      row.nodes = event.phase === "start" ? [...row.nodes, event.node] : without(row.nodes, event.node);
      break;
    case "token":
      row.tokens++;
      break;
    case "question":
      row.phase = "waiting";
      break;
    case "finished":
      if (row.phase === "finished") break; // told again by the next worker
      Object.assign(row, { phase: "finished", nodes: [], finishedAt: now, summary: event.summary });
      break;
    case "refund":
      break;
  }
}

/** Notes that the worker is gone, and with it all that was at work or waited in it. */
export function markLost(board: Board): void {
  for (const row of board.values()) if (row.phase !== "finished") Object.assign(row, { phase: "lost", nodes: [] });
}

/**
 * Whether this is the moment to kill the worker: money has just moved, its thread does not know of it yet,
 * and others are at work or wait for their approvals. Where no refund comes (a model may never
 * ask for one), the moment is when half of the threads are over and another one is at work.
 */
export function isKillMoment(board: Board, event: ThreadEvent): boolean {
  const rows = [...board.values()];
  if (event.type === "refund" && event.outcome === "paid") {
    return rows.some((row) => row.threadId !== event.threadId && (row.phase === "running" || row.phase === "waiting"));
  }
  const over = rows.filter((row) => row.phase === "finished").length;
  return over * 2 >= rows.length && rows.some((row) => row.nodes.length > 0);
}

function without(nodes: readonly string[], node: string): string[] {
  const index = nodes.indexOf(node);
  return index < 0 ? [...nodes] : nodes.toSpliced(index, 1);
}
