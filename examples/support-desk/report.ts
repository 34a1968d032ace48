/** What is shown when the work is over. */
import type { Board, BoardRow } from "./board.ts";
import type { RefundCheck } from "./check-refunds.ts";
import type { ModelName } from "./desk-options.ts";

/** The last line of `--json`. */
export interface DeskResult {
  readonly threads: number;
  readonly done: number;
  /** What people decided, either way. */
  readonly approvals: number;
  /** Processes killed on the way. */
  readonly killed: number;
  /** Threads that were in the middle of it, and were gone on with by the next process. */
  readonly resumed: number;
  readonly refunds: number;
  readonly duplicateRefunds: number;
  readonly model: ModelName;
}

const COLUMNS = ["thread", "customer", "steps", "tools", "tokens", "time", "approvals", "outcome"];
const OUTCOME_WIDTH = 72;

/** One line per thread. */
export function threadTable(board: Board): string {
  const rows = [COLUMNS, ...[...board.values()].map(cells)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return [lines[0], widths.map((width) => "─".repeat(width)).join("  "), ...lines.slice(1)].join("\n");
}

/** What the check found, in words. */
export function checkText({ refunds, duplicateRefunds, repeats, problems }: RefundCheck): string {
  const tried =
    repeats === 0
      ? ""
      : ` ${count(repeats, "refund was", "refunds were")} tried again after the crash and moved nothing the second time.`;
  if (problems.length > 0)
    return [`✗ The order database does not agree (${duplicateRefunds} paid twice):`, ...problems].join("\n  ");
  return `✓ The order database agrees: ${count(refunds, "refund", "refunds")}, each approved and made exactly once, and no other.${tried}`;
}

function cells({ threadId, customer, startedAt, finishedAt, summary }: BoardRow): string[] {
  if (summary === undefined) return [threadId, customer, "", "", "", "", "", "not finished"];
  const { status, steps, toolCalls, tokens, decisions, outcome } = summary;
  const words = outcome.replaceAll(/\s+/g, " ");
  const shown = words.length > OUTCOME_WIDTH ? `${words.slice(0, OUTCOME_WIDTH - 1)}…` : words;
  return [
    threadId,
    customer,
    String(steps),
    String(toolCalls),
    String(tokens),
    `${((finishedAt - startedAt) / 1000).toFixed(1)} s`,
    decisions.map(({ type }) => type).join(", ") || "–",
    status === "done" ? shown : `${status}: ${shown}`,
  ];
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
