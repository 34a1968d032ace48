import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { Client } from "pg";
import { describe, inject } from "vitest";

/** An empty Postgres database for one test or one file. */
export interface FreshDatabase {
  readonly url: string;
  /** Ends the connections that are still open and removes the database. */
  drop(): Promise<void>;
}

/** `describe` for what needs Postgres: skipped, and counted as such, where no server could be started. */
// oxlint-disable-next-line vitest/valid-describe-callback -- a condition, not a suite
export const describeWithPostgres = describe.skipIf(inject("postgresUrl") === "");

/** Creates a database with a random name on the Postgres server of this test run. */
export async function freshDatabase(options = ""): Promise<FreshDatabase> {
  const server = inject("postgresUrl");
  if (server === "") throw new Error("No Postgres in this test run: put the test under describeWithPostgres.");
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  await query(server, `CREATE DATABASE ${name} ${options}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => dropDatabase(server, name) };
}

/** Removes a database. Lets connections that are being closed end by themselves: a pool that has ended would be told of the loss. */
export async function dropDatabase(server: string, name: string): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    try {
      await query(server, `DROP DATABASE IF EXISTS ${name}`);
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== "55006") throw error; // it is in use
      await setTimeout(50);
    }
  }
  await query(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
}

async function query(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
