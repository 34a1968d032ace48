import { PerdureError, show } from "../errors/index.ts";

/**
 * Whether a text can be an id in every store, so that a thread can move: Postgres's text takes no NUL, and half a
 * surrogate pair would be stored as U+FFFD, so that two ids became one.
 */
export function isStorableId(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

/** Whether nothing can be stored under one of these ids: a store asked for it fails, or finds what another id has. */
export function findsNothing(...ids: readonly unknown[]): boolean {
  return ids.some((id) => typeof id === "string" && !isStorableId(id));
}

/** Refuses what cannot be the id of a thread. @throws OPTIONS_INVALID */
export function assertThreadId(method: string, threadId: unknown): asserts threadId is string {
  if (typeof threadId === "string" && threadId !== "" && isStorableId(threadId)) return;
  throw new PerdureError("OPTIONS_INVALID", `${method}: the id of a thread can't be ${show(threadId)}.`, {
    hint: `Pass well-formed text without NUL, such as "case-42"; to a graph as { configurable: { thread_id: "case-42" } }.`,
  });
}

/** Refuses what no store can keep as an id. @throws OPTIONS_INVALID */
export function assertStorableId(method: string, name: string, id: unknown): asserts id is string {
  if (typeof id === "string" && isStorableId(id)) return;
  throw new PerdureError("OPTIONS_INVALID", `${method}: \`${name}\` can't be ${show(id)}.`, {
    hint: "Pass well-formed text without NUL. Nothing was stored.",
  });
}
