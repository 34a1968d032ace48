/** The story of a run in lines: what a person wants to have seen, and, where there is no live board, each node too. */
import type { BoardRow } from "./board.ts";
import type { ThreadEvent } from "./protocol.ts";
import { formatCents } from "./money.ts";

const REFUND_WORDS = {
  paid: "left the account",
  repeated: "had left the account before the crash: nothing moves",
  refused: "refused by the policy",
};

/** The line for an event on a thread that stands like `row`; undefined where there is nothing to say. */
export function progressLine(
  event: ThreadEvent,
  row: BoardRow | undefined,
  options: { everyNode: boolean },
): string | undefined {
  const { threadId } = event;
  switch (event.type) {
    case "found":
      if (event.status === "new") return options.everyNode ? `  ${threadId}  starts` : undefined;
      if (event.status === "done") return `  ${threadId}  found finished, at step ${event.step}`;
      return `  ${threadId}  found at step ${event.step}, ${event.status}, next: ${event.next.join(", ")}`;
    case "node":
      return options.everyNode && event.phase === "start" ? `  ${threadId}  ${event.node}` : undefined;
    case "refund":
      return `  ${threadId}  ${formatCents(event.amountCents)} for order ${event.orderId} ${REFUND_WORDS[event.outcome]}`;
    case "finished":
      if (row?.phase === "finished") return undefined; // told again by the next worker
      return `✓ ${threadId}  ${event.summary.status}: ${event.summary.outcome}`;
    case "question":
    case "token":
      return undefined;
  }
}
