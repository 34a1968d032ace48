import type { CustomTypesConfig, Pool } from "pg";

/** The number of the type `bytea[]`. */
const BYTEA_ARRAY = 1001;

/**
 * The pool as PostgresSaver uses it for reading, with its values parsed at once: pg reads an array of bytes
 * digit by digit, which takes longer than everything else.
 */
export function withByteaRows(pool: Pool, types: CustomTypesConfig): Pool {
  const own: CustomTypesConfig = {
    getTypeParser: (oid, format) => {
      const parser: unknown = types.getTypeParser(oid, format);
      if ((oid as number) !== BYTEA_ARRAY || typeof parser !== "function") return parser;
      return (text: string): unknown => byteaRows(text) ?? (parser as (text: string) => unknown)(text);
    },
  };
  const query = (text: string, values: unknown[]): Promise<unknown> => pool.query({ text, values, types: own });
  return { query } as unknown as Pool;
}

/** Reads `{{"\\x6162",NULL},{"\\x63","\\x64"}}`; undefined for any other form. */
export function byteaRows(text: string): (Buffer | null)[][] | undefined {
  if (!text.startsWith('{{"\\\\x') || !text.endsWith("}}")) return undefined;
  const rows = text.slice(2, -2).split("},{");
  return rows.map((row) =>
    row.split(",").map((item) => (item === "NULL" ? null : Buffer.from(item.slice('"\\\\x'.length, -1), "hex"))),
  );
}
