/** What the parent knows of the threads, from what the workers report; and when it is time to kill one. */
import type { CustomerMessage } from "./batch.ts";
import type { ThreadEvent, ThreadSummary } from "./protocol.ts";

/** One thread. */
export interface BoardRow {
  readonly threadId: string;
  readonly customer: string;
  phase: "new" | "running" | "waiting" | "finished";
  /** The nodes that run right now. */
  nodes: string[];
  /** Pieces of text that the model has streamed so far. */
  tokens: number;
  startedAt: number;
  finishedAt: number;
  summary: ThreadSummary | undefined;
}

/** All threads, in the order of their messages. */
export type Board = ReadonlyMap<string, BoardRow>;

/** A board on which nothing has happened yet. */
export function createBoard(messages: readonly CustomerMessage[]): Board {
  return new Map(
    messages.map(({ threadId, customer }) => [
      threadId,
      { threadId, customer, phase: "new", nodes: [], tokens: 0, startedAt: 0, finishedAt: 0, summary: undefined },
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
      Object.assign(row, { phase: "running", nodes: [] });
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
      Object.assign(row, { phase: "finished", nodes: [], finishedAt: now, summary: event.summary });
      break;
    case "refund":
      break;
  }
}

/**
 * Whether this is the moment to kill the worker: money has just moved, which is not yet recorded in the
 * thread, while another thread waits for its approval. Where no refund comes so far (a model may
 * never ask for one), the moment is when half of the threads are over and another one is at work.
 */
export function isKillMoment(board: Board, event: ThreadEvent): boolean {
  const rows = [...board.values()];
  if (event.type === "refund") {
    return event.outcome === "paid" && rows.some((row) => row.phase === "waiting" && row.threadId !== event.threadId);
  }
  const over = rows.filter((row) => row.phase === "finished").length;
  return event.type === "node" && event.phase === "start" && over * 2 >= rows.length;
}

function without(nodes: readonly string[], node: string): string[] {
  const index = nodes.indexOf(node);
  return index < 0 ? [...nodes] : nodes.toSpliced(index, 1);
}
