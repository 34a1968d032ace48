import { Client } from "pg";
import { expect, inject, it } from "vitest";
import { describeWithPostgres, freshDatabase } from "./fresh-database.ts";
import { startPostgres } from "./postgres.ts";

async function rows(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const result = await client.query(sql);
    return result.rows;
  } finally {
    await client.end();
  }
}

describeWithPostgres("Postgres for tests", () => {
  it("gives each caller an empty database of its own, and removes it", async () => {
    const [one, two] = await Promise.all([freshDatabase(), freshDatabase()]);
    await rows(one.url, "CREATE TABLE mine (n int)");
    const tables = "SELECT relname FROM pg_stat_user_tables";
    expect(await rows(one.url, tables)).toEqual([{ relname: "mine" }]);
    expect(await rows(two.url, tables)).toEqual([]);
    await Promise.all([one.drop(), two.drop()]);
    await expect(rows(one.url, tables)).rejects.toThrow(/does not exist/);
    await expect(rows(two.url, tables)).rejects.toThrow(/does not exist/);
  });

  it("keeps what was committed over a restart as after a crash, at the same url", async () => {
    const server = await startPostgres();
    try {
      expect(server.url).not.toBe(inject("postgresUrl"));
      await rows(server.url, "CREATE TABLE kept AS SELECT 7 AS n");
      await server.restart("immediate");
      expect(await rows(server.url, "SELECT n FROM kept")).toEqual([{ n: 7 }]);
    } finally {
      await server.stop();
    }
    await expect(rows(server.url, "SELECT 1")).rejects.toThrow(/ECONNREFUSED/);
  });
});
