import { Pool, types } from "pg";
import { expect, it } from "vitest";
import { byteaRows, withByteaRows } from "../../../src/checkpoint/import/bytea-rows.ts";
import { describeWithPostgres, freshDatabase } from "../../support/fresh-database.ts";

it("leaves what is no array of rows of bytes to pg", () => {
  for (const text of ["{}", '{"\\\\x61"}', "{{NULL}}", "{{a}}"]) expect(byteaRows(text)).toBeUndefined();
});

describeWithPostgres("a pool with bytea rows", () => {
  it("gives what pg gives, for arrays of bytes and for everything else", async () => {
    const database = await freshDatabase();
    const pool = new Pool({ connectionString: database.url, max: 1 });
    const sql = `SELECT array_agg(array[a::bytea, b::bytea, NULL]) AS rows, array[a::bytea] AS flat, NULL::bytea[] AS none,
        1 AS n, now()::date AS day, '{"a":1}'::jsonb AS json
      FROM (VALUES ('', 'x,"{}'), ('é', $1)) AS v(a, b) GROUP BY a`;
    const values = ["long".repeat(1000)];
    const plain = await pool.query(sql, values);
    const ours = await withByteaRows(pool, types).query(sql, values);
    expect(ours.rows).toEqual(plain.rows);
    await pool.query("SET bytea_output = escape");
    expect((await withByteaRows(pool, types).query(sql, values)).rows).toEqual((await pool.query(sql, values)).rows);
    await pool.end();
    await database.drop();
  });
});
