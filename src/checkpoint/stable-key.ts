import { createHash } from "node:crypto";

/**
 * 64 bits that stand for the parts, as a number in text: the start of a SHA-256. Names a statement, or an advisory
 * lock, which programs with locks of their own in the same database will not meet.
 */
export function stableKey(...parts: string[]): string {
  const hash = createHash("sha256").update(JSON.stringify(["perdure", ...parts]));
  return hash.digest().readBigInt64BE().toString();
}
