import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { inspect } from "node:util";
import { Client, Pool } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isPerdureError } from "perdure/errors";
import type { PerdureError } from "perdure/errors";
import { openCheckpointer } from "perdure/checkpoint";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";

const SECRET = "s3cret";

/** The error of opening; checked to hold no secret, not even in its causes. */
async function errorOf(opening: Promise<unknown>): Promise<PerdureError> {
  const error = await opening.then(
    () => new Error("it opened"),
    (reason: unknown) => reason,
  );
  if (!isPerdureError(error)) throw error;
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(SECRET);
  return error;
}

describe("a Postgres server that does not answer", () => {
  it("is named by host and port, never with the password", async () => {
    const port = 1; // reserved, and no server is there
    const error = await errorOf(openCheckpointer(`postgres://me:${SECRET}@127.0.0.1:${port}/db?password=${SECRET}`));
    expect(error.code).toBe("CHECKPOINTER_UNREACHABLE");
    expect(error.message).toContain(`127.0.0.1:${port}`);
  });

  it("is given up after connectTimeoutMs", async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => sockets.add(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const url = `postgres://me:${SECRET}@127.0.0.1:${port}/db`;
    const error = await errorOf(openCheckpointer(url, { connectTimeoutMs: 200 }));
    expect(error.code).toBe("CHECKPOINTER_UNREACHABLE");
    expect(error.message).toContain(`127.0.0.1:${port}`);
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  it("because its name is unknown is named too", async () => {
    const error = await errorOf(openCheckpointer(`postgres://me:${SECRET}@nowhere.invalid/db`));
    expect(error.code).toBe("CHECKPOINTER_UNREACHABLE");
    expect(error.message).toContain("nowhere.invalid:5432");
  });
});

describeWithPostgres("a Postgres server that answers", () => {
  let database: FreshDatabase;
  beforeAll(async () => {
    database = await freshDatabase();
  });
  afterAll(() => database.drop());

  function changed(change: (url: URL) => void): string {
    const url = new URL(database.url);
    url.password = SECRET;
    change(url);
    return url.href;
  }

  it("without the database says how to create it", async () => {
    const error = await errorOf(openCheckpointer(changed((url) => (url.pathname = "/no-such-db"))));
    expect(error.code).toBe("CHECKPOINTER_UNREACHABLE");
    expect(error.message).toContain("no-such-db");
    expect(error.hint).toContain("createdb no-such-db");
  });

  it("that refuses the user says so", async () => {
    const error = await errorOf(openCheckpointer(changed((url) => (url.username = "nobody-here"))));
    expect(error.code).toBe("CHECKPOINTER_UNREACHABLE");
    expect(error.message).toContain('refused the user "nobody-here"');
  });

  it("but not with TLS says so", async () => {
    const error = await errorOf(
      openCheckpointer(
        changed(() => {}),
        { ssl: true },
      ),
    );
    expect(error.code).toBe("CHECKPOINTER_UNREACHABLE");
    expect(error.hint).toContain("ssl");
  });

  it("but takes no writes says so", async () => {
    const url = changed((to) => to.searchParams.set("options", "-c default_transaction_read_only=on"));
    const error = await errorOf(openCheckpointer(url));
    expect(error.code).toBe("CHECKPOINTER_UNREACHABLE");
    expect(error.hint).toContain("primary");
  });

  it("with a database that lacks characters is refused before anything is stored", async () => {
    const latin = await freshDatabase("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    const error = await errorOf(openCheckpointer(latin.url));
    expect(error.code).toBe("CHECKPOINTER_UNSUPPORTED");
    expect(error.message).toContain("LATIN1");
    await latin.drop();
  });

  it("with tables of an older version is refused where they may not be changed", async () => {
    await (await openCheckpointer(database.url)).close();
    const admin = new Client({ connectionString: database.url });
    await admin.connect();
    await admin.query("DELETE FROM perdure_migrations WHERE v > 3");
    const error = await errorOf(openCheckpointer(database.url, { setup: false }));
    expect(error.code).toBe("CHECKPOINTER_TABLE_MISSING");
    expect(error.message).toContain("its last one is 3");
    await admin.query("DROP SCHEMA public CASCADE");
    await admin.query("CREATE SCHEMA public");
    await admin.end();
  });

  it("is described without user, password and parameters, from a URL and from a pool", async () => {
    const { hostname, port, pathname, username } = new URL(database.url);
    const description = `postgres://${hostname}:${port}${pathname}`;
    const pools = [
      new Pool({ connectionString: changed(() => {}) }),
      new Pool({ host: hostname, port: Number(port), database: pathname.slice(1), user: username, password: SECRET }),
    ];
    for (const pool of pools) pool.on("error", () => {});
    for (const target of [changed((url) => url.searchParams.set("application_name", SECRET)), ...pools]) {
      const checkpointer = await openCheckpointer(target);
      expect(checkpointer.description).toBe(description);
      expect(checkpointer.shared).toBe(true);
      expect(inspect(checkpointer, { depth: 10 })).not.toContain(SECRET);
      expect(JSON.stringify({ checkpointer })).not.toContain(SECRET);
      await checkpointer.close();
    }
    await Promise.all(pools.map((pool) => pool.end()));
  });
});
