import type { AnswerOutcome } from "perdure/checkpoint";
import type { Commit } from "../../../support/crash-checkpointer.ts";
import type { CrashLedger } from "../../../support/crash-ledger.ts";

/** What is written down about one thread, by whichever process works on it. */
export type Line =
  /** A process takes the thread up. */
  | { readonly at: "life" }
  /** What that process found in the checkpointer, before it did anything. */
  | ({ readonly at: "found" } & Found)
  /** The client is about to make a call, and has had its result. */
  | { readonly at: "call"; readonly move: string }
  | ({ readonly at: "ack"; readonly move: string } & Seen)
  /** A node begins to run. */
  | { readonly at: "began"; readonly task: string; readonly node: string; readonly checkpoint: string }
  /** Something was done to the world outside. */
  | { readonly at: "effect"; readonly what: string; readonly key: string }
  /** A commit has returned. */
  | { readonly at: "stored"; readonly commit: Commit; readonly outcomes?: readonly AnswerOutcome[] }
  /** Interrupts that had an answer were given another, or the same again. */
  | {
      readonly at: "answered again";
      readonly how: "differently" | "the same";
      readonly results: readonly { readonly id: string; readonly result: string }[];
      readonly changed: boolean;
    }
  | { readonly at: "repaired" }
  | ({ readonly at: "end" } & End);

/** What the client knows of a thread from its last call. */
export interface Seen {
  readonly status: string;
  readonly interrupts: readonly { readonly id: string; readonly node: string }[];
}

/** What is stored of a thread. */
export interface Found {
  readonly checkpoints: readonly string[];
  /** Tasks whose results are stored. */
  readonly finished: readonly string[];
  /** Of the interrupts that were answered as far as this account says. */
  readonly answers: readonly { readonly id: string; readonly answer: unknown }[];
}

/** A finished thread. */
export interface End {
  readonly commits: number;
  readonly status: string;
  readonly values: unknown;
  readonly history: readonly { readonly step: number; readonly next: readonly string[]; readonly values: unknown }[];
  /** Signals that nobody took. */
  readonly signalsLeft: number;
}

export type Account = CrashLedger<Line>;

/** The lines of one kind. */
export function linesAt<At extends Line["at"]>(lines: readonly Line[], at: At): Extract<Line, { at: At }>[] {
  return lines.filter((line): line is Extract<Line, { at: At }> => line.at === at);
}

/** The answers that were accepted, oldest first. */
export function acceptedAnswers(lines: readonly Line[]): { id: string; answer: unknown }[] {
  return linesAt(lines, "stored").flatMap(({ commit, outcomes = [] }) =>
    commit.method === "commitAnswers" ? commit.answers.filter((_, index) => outcomes[index] === "accepted") : [],
  );
}
