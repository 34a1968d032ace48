import { PerdureError } from "../errors/index.ts";

/** A parsed URL of a checkpointer. */
export type CheckpointerUrl =
  | { readonly kind: "memory" }
  /** `path` is undefined for a database in memory. */
  | { readonly kind: "pglite" | "sqlite"; readonly path: string | undefined }
  | { readonly kind: "postgres"; readonly url: string };

/** Where a Postgres database is, without the password. */
export interface PostgresPlace {
  /** The URL without its user, password and parameters. */
  readonly description: string;
  /** Such as `127.0.0.1:5432`. */
  readonly server: string;
  /** Empty when the URL leaves it to the server's default. */
  readonly database: string;
  /** Whom to log in; absent when the URL leaves it to the environment. */
  readonly user?: string;
}

/** What is most often wrong with a URL that is not there at all. */
export const IS_IT_SET = "is the environment variable set?";

/** The forms of a URL. */
export const URL_HINT =
  "Use memory:, pglite:./directory, sqlite:./file or postgres://user:password@host:5432/database.";

/**
 * Parses the URL of a checkpointer.
 * @throws CHECKPOINTER_URL_INVALID with the schemes there are; the message never holds a password
 */
export function parseCheckpointerUrl(url: string): CheckpointerUrl {
  const [, scheme, rest = ""] = /^([a-z][a-z0-9+.-]*):(.*)$/isu.exec(url) ?? [];
  switch (scheme?.toLowerCase()) {
    case "memory":
      if (rest !== "" && rest !== "//") throw invalid("memory: takes no path");
      return { kind: "memory" };
    case "pglite":
      return { kind: "pglite", path: rest === "memory" || rest === "memory://" ? undefined : filePath("pglite", rest) };
    case "sqlite":
      return { kind: "sqlite", path: rest === ":memory:" ? undefined : filePath("sqlite", rest) };
    case "postgres":
    case "postgresql":
      placeOfPostgresUrl(url);
      return { kind: "postgres", url };
    case undefined:
      throw invalid(url === "" ? `an empty URL: ${IS_IT_SET}` : "a URL without a scheme");
    default:
      throw invalid(`unknown scheme "${scheme}:"`);
  }
}

/**
 * Where the URL of a Postgres database leads.
 * @throws CHECKPOINTER_URL_INVALID, without the URL, which holds the password
 */
export function placeOfPostgresUrl(url: string): PostgresPlace {
  const { hostname, port, pathname, username, user = "", database } = parsePostgresUrl(url) ?? {};
  // An unescaped # or / ends the host early: what was meant as the user would be taken for the host.
  if (
    pathname === undefined ||
    database === undefined ||
    pathname.includes("@") ||
    (username === "" && url.includes("@"))
  ) {
    throw invalid("a postgres URL that cannot be parsed (a password with special characters must be percent-encoded)");
  }
  const server = `${hostname || "localhost"}:${port || "5432"}`;
  const description = `postgres://${server}${pathname === "" ? "/" : pathname}`;
  return { description, server, database, ...(user === "" ? {} : { user }) };
}

function parsePostgresUrl(
  url: string,
): (Partial<URL> & { readonly database: string; readonly user: string }) | undefined {
  try {
    const { hostname, port, pathname, username } = new URL(url);
    const [database, user] = [pathname.slice(1), username].map(decodeURIComponent) as [string, string];
    return { hostname, port, pathname, username, database, user };
  } catch {
    return undefined;
  }
}

function filePath(scheme: string, rest: string): string {
  const path = rest.replace(/^\/\/(?=.)/u, "");
  if (path === "" || path === "//" || path.includes("\0")) throw invalid(`${scheme}: without a path`);
  if (path.includes("://")) throw invalid(`${scheme}: with another URL where its path should be`); // it may hold a password
  return path;
}

function invalid(what: string): PerdureError {
  return new PerdureError(
    "CHECKPOINTER_URL_INVALID",
    `cannot open a checkpointer: ${what}${what.endsWith("?") ? "" : "."}`,
    { hint: URL_HINT },
  );
}
