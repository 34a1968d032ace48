/** What is shown when the work is over. */
import type { Board, BoardRow } from "./board.ts";
import type { RefundCheck } from "./check-refunds.ts";
import type { ModelName } from "./command-line.ts";

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

/** The numbers of a run. */
export function deskResult(run: { board: Board; check: RefundCheck; killed: number; model: ModelName }): DeskResult {
  const { board, check, killed, model } = run;
  const rows = [...board.values()];
  return {
    threads: rows.length,
    done: rows.filter(({ summary }) => summary?.status === "done").length,
    approvals: rows.flatMap(({ summary }) => summary?.decisions ?? []).filter(({ expired }) => expired !== true).length,
    killed,
    resumed: rows.filter((row) => row.resumed).length,
    refunds: check.refunds,
    duplicateRefunds: check.duplicateRefunds,
    model,
  };
}

const COLUMNS = ["thread", "customer", "steps", "tools", "tokens", "time", "approvals", "outcome"];

/** One line per thread, at most `width` characters long; the outcome is cut to fit. */
export function threadTable(board: Board, width: number): string {
  const rows = [COLUMNS, ...[...board.values()].map(cells)];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const rule = widths.map((columns) => "─".repeat(columns));
  const lines = [COLUMNS, rule, ...rows.slice(1)].map((row) => {
    const cellsOfRow = row.map((cell, column) => cell.padEnd(widths[column] ?? 0));
    return cut(cellsOfRow.join("  ").trimEnd(), width);
  });
  return lines.join("\n");
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
  return [
    threadId,
    customer,
    String(steps),
    String(toolCalls),
    String(tokens),
    `${((finishedAt - startedAt) / 1000).toFixed(1)} s`,
    decisions.map(({ type }) => type).join(", ") || "–",
    status === "done" ? words : `${status}: ${words}`,
  ];
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, width - 1)}…` : text;
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}
