/** Begins with a control character, so that no id that somebody chose begins so. */
const PREFIX = "\u0001perdure-import ";
/** The next text of that length: what begins with the prefix lies between the two. */
const AFTER = "\u0001perdure-import!";

/** Where a thread stands while it is imported, until it is whole: in no list, and not pruned. */
export function stagingId(threadId: string): string {
  return `${PREFIX}${threadId}`;
}

/** Whether it is an id of {@link stagingId}. */
export function isStagingId(threadId: string): boolean {
  return threadId.startsWith(PREFIX);
}

/** The same as a condition on a column that sorts by bytes, so that its index can be used. */
export function stagingCondition(column: string): string {
  return `(${column} >= '${PREFIX}' AND ${column} < '${AFTER}')`;
}
