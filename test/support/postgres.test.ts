import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Client } from "pg";
import { expect, inject, it, vi } from "vitest";
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

  it("ends with the process that started it, even when that one is killed", async () => {
    const program = `
      const { startPostgres } = await import(${JSON.stringify(join(import.meta.dirname, "postgres.ts"))});
      console.log((await startPostgres()).url);
      setInterval(() => {}, 1_000);`;
    const owner = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [url] = (await once(owner.stdout.setEncoding("utf8"), "data")) as [string];
    expect(await rows(url.trim(), "SELECT 1 AS up")).toEqual([{ up: 1 }]);
    owner.kill("SIGKILL");
    await once(owner, "exit");
    await vi.waitFor(() => expect(rows(url.trim(), "SELECT 1")).rejects.toThrow(/ECONNREFUSED/), { timeout: 60_000 });
  });
});
