import type { AnswerOutcome, CommitGuard, LockOptions } from "perdure/checkpoint";
import type { Footprint } from "./footprint.ts";

/** A call to the store, with names in place of ids. */
export type StoreCall = { readonly label: string; readonly footprint: Footprint } & (
  | { readonly kind: "read" | "release" }
  | { readonly kind: "lock"; readonly options: LockOptions }
  | { readonly kind: "commit"; readonly commit: Commit }
);

/** What a call wants stored. */
export type Commit =
  | {
      readonly stores: "checkpoint";
      readonly name: string;
      readonly namespace: string;
      readonly parent: string | undefined;
      readonly guard: CommitGuard | undefined;
    }
  | {
      readonly stores: "writes";
      readonly checkpoint: string;
      readonly task: string;
      readonly channels: readonly string[];
      readonly guard: CommitGuard | undefined;
    }
  | { readonly stores: "answers"; readonly answers: readonly AnswerNamed[] }
  | { readonly stores: "record" };

/** How a commit ended. */
export type Committed =
  | { readonly ok: true; readonly outcomes?: readonly AnswerOutcome[] | undefined }
  | { readonly ok: false; readonly error: unknown };

/** An answer to an interrupt, both as they are named. */
export interface AnswerNamed {
  readonly id: string;
  readonly interrupt: string;
  readonly answer: string;
}
