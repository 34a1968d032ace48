/** Orders texts by their UTF-8 bytes, as Postgres does with `COLLATE "C"` and SQLite does. */
export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Orders paths label by label; one that ends where another goes on comes first. */
export function comparePaths(a: readonly string[], b: readonly string[]): number {
  for (const [index, label] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    const order = compareText(label, other);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}
