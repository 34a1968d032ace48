import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { inject } from "vitest";
import { dropDatabase } from "../../support/fresh-database.ts";
import type { FreshDatabase } from "../../support/fresh-database.ts";

/**
 * An empty database that sorts texts as English does, as most servers do: there an index of plain texts knows no
 * prefixes, and "a" comes before "B". On a server without ICU it is one that sorts by bytes.
 */
export async function englishDatabase(): Promise<FreshDatabase> {
  const server = inject("postgresUrl");
  const name = `test_english_${randomUUID().replaceAll("-", "")}`;
  await withClient(server, async (client) => {
    const icu = await client.query("SELECT 1 FROM pg_collation WHERE collname = 'en-US-x-icu'");
    const locale = icu.rows.length === 0 ? "" : "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'";
    await client.query(`CREATE DATABASE ${name} TEMPLATE template0 ${locale}`);
  });
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: () => dropDatabase(server, name),
  };
}

async function withClient(url: string, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
