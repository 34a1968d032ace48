import { PerdureError } from "../errors/index.ts";

/** A parsed URL of a checkpointer. */
export type CheckpointerUrl =
  | { readonly kind: "memory" }
  /** `path` is undefined for a database in memory. */
  | { readonly kind: "pglite" | "sqlite"; readonly path: string | undefined }
  | { readonly kind: "postgres"; readonly url: string; readonly description: string };

const HINT = "Use memory:, pglite:./directory, sqlite:./file or postgres://user:password@host:5432/database.";

/**
 * Parses the URL of a checkpointer.
 * @throws CHECKPOINTER_URL_INVALID with the schemes there are; the message never holds a password
 */
export function parseCheckpointerUrl(url: string): CheckpointerUrl {
  const [, scheme, rest = ""] = /^([a-z][a-z0-9+.-]*):(.*)$/isu.exec(url) ?? [];
  switch (scheme?.toLowerCase()) {
    case "memory":
      if (rest !== "" && rest !== "//") throw invalid(`memory: takes no path, got "memory:${rest}"`);
      return { kind: "memory" };
    case "pglite":
      return { kind: "pglite", path: rest === "memory" || rest === "memory://" ? undefined : filePath("pglite", rest) };
    case "sqlite":
      return { kind: "sqlite", path: rest === ":memory:" ? undefined : filePath("sqlite", rest) };
    case "postgres":
    case "postgresql":
      return { kind: "postgres", url, description: describePostgresUrl(url) };
    case undefined:
      throw invalid(url === "" ? "an empty URL" : "a URL without a scheme");
    default:
      throw invalid(`unknown scheme "${scheme}:"`);
  }
}

/** The URL of a Postgres database without its user, password and parameters. */
export function describePostgresUrl(url: string): string {
  try {
    const { hostname, port, pathname } = new URL(url);
    return `postgres://${hostname || "localhost"}:${port || "5432"}${pathname === "" ? "/" : pathname}`;
  } catch {
    // The error holds the URL, and so the password: it is not passed on.
    throw invalid("a postgres URL that cannot be parsed (a password with special characters must be percent-encoded)");
  }
}

function filePath(scheme: string, rest: string): string {
  const path = rest.replace(/^\/\/(?=.)/u, "");
  if (path === "" || path === "//" || path.includes("\0")) throw invalid(`${scheme}: without a path`);
  return path;
}

function invalid(what: string): PerdureError {
  return new PerdureError("CHECKPOINTER_URL_INVALID", `cannot open a checkpointer: ${what}.`, { hint: HINT });
}
