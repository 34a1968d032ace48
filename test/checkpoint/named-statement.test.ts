import { describe, expect, it } from "vitest";
import { namedStatement } from "../../src/checkpoint/named-statement.ts";
import { PostgresStoreBackend } from "../../src/checkpoint/store/postgres-store.ts";
import type { NamedStatement, SqlDriver, SqlResult } from "../../src/checkpoint/sql-driver.ts";

describe("the name of a statement", () => {
  it("is another one for each text, and the same for the same, within the 63 bytes that Postgres reads", () => {
    const { name, text } = namedStatement("store_expire", "SELECT 1");
    expect(text).toBe("SELECT 1");
    expect(namedStatement("store_expire", "SELECT 2").name).not.toBe(name);
    expect(namedStatement("store_expire", "SELECT 1").name).toBe(name);
    expect(name).toMatch(/^perdure_store_expire_/u);
    expect(name.length).toBeLessThan(64);
  });

  it("comes from the text in a store too: two releases may share a pool", async () => {
    const sent: NamedStatement[] = [];
    const record = async <Row>(statement: string | NamedStatement): Promise<SqlResult<Row>> => {
      if (typeof statement !== "string") sent.push(statement);
      return { rows: [] };
    };
    const driver: SqlDriver = {
      query: record,
      commit: record,
      transaction: () => Promise.reject(new Error("not needed")),
      losses: 0,
      close: async () => {},
    };
    const store = new PostgresStoreBackend(driver, { schema: "public", ttlMs: undefined });
    await store.read([]);
    await store.write([{ namespace: ["a"], key: "k", json: "{}", vectors: [] }]);
    await store.deleteExpired();
    expect(sent).toHaveLength(3);
    expect(sent).toEqual(
      ["store_read", "store_flush", "store_expire"].map((purpose, n) => namedStatement(purpose, sent[n]!.text)),
    );
  });
});
