/** The lists stay fast in a big database: their plans use indexes and read no table whole. */
import { Client } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { saverTables } from "../../../src/checkpoint/postgres/saver-tables.ts";
import { interruptsQuery, threadsQuery } from "../../../src/checkpoint/postgres/thread-listing.ts";
import { describeWithPostgres, freshDatabase } from "../../support/fresh-database.ts";
import type { FreshDatabase } from "../../support/fresh-database.ts";

const THREADS = 10_000;
/** Every tenth thread asks. */
const QUESTIONS = THREADS / 10;

interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly Plans?: readonly PlanNode[];
}

describeWithPostgres(`lists of ${THREADS} threads`, () => {
  const tables = saverTables("public");
  let database: FreshDatabase;
  let checkpointer: Checkpointer;
  let client: Client;
  beforeAll(async () => {
    database = await freshDatabase();
    checkpointer = await openCheckpointer(database.url);
    client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query(`
      INSERT INTO perdure_threads (thread_id, head) SELECT 'thread-' || n, 'checkpoint-' || n FROM generate_series(1, ${THREADS}) n;
      INSERT INTO perdure_interrupts (thread, ns, checkpoint_id, task_id, answers, asked_at)
        SELECT thread, '', head, 'task', CASE WHEN thread % 20 = 0 THEN 0 END, now() - thread * interval '1 second' FROM perdure_threads WHERE thread % 10 = 0;
      INSERT INTO perdure_writes (thread, ns, checkpoint_id, task_id, idx, text)
        SELECT thread, '', head, 'task', idx, '[["__interrupt__", {"id": "i", "value": "?", "perdure": {"answers": 0}}]]'
          FROM perdure_threads, unnest(ARRAY[-3, 0]) AS idx;
      ANALYZE;`);
  });
  afterAll(async () => {
    await client.end();
    await checkpointer.close();
    await database.drop();
  });

  /** How many rows of each table the statement looked at, and how. */
  async function scans(sql: string, values: unknown[]): Promise<{ node: string; table: string; rows: number }[]> {
    const { rows } = await client.query<{ "QUERY PLAN": [{ Plan: PlanNode }] }>(
      `EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`,
      values,
    );
    const found: { node: string; table: string; rows: number }[] = [];
    const walk = (node: PlanNode): void => {
      const table = node["Relation Name"];
      if (table !== undefined) {
        found.push({ node: node["Node Type"], table, rows: node["Actual Rows"] * node["Actual Loops"] });
      }
      for (const child of node.Plans ?? []) walk(child);
    };
    walk(rows[0]!["QUERY PLAN"][0].Plan);
    return found;
  }

  it.each([
    ["threads", threadsQuery(tables, { interrupted: false }), [null, 51]],
    ["threads, a page in the middle", threadsQuery(tables, { interrupted: false }), [5000, 51]],
    ["open questions", interruptsQuery(tables), [null, null, null, null, 51]],
    ["open questions, a page in the middle", interruptsQuery(tables), [Date.now() * 1000, 0, "", "", 51]],
  ])("%s: each table by an index, and no more rows than the page has", async (_what, sql, values) => {
    const found = await scans(sql, values);
    expect(found.length).toBeGreaterThan(0);
    for (const { node, table, rows } of found) {
      expect(node, table).toMatch(/^(?:Index Scan|Index Only Scan|Bitmap Heap Scan)/u);
      expect(rows, table).toBeLessThanOrEqual(51 * 2);
    }
  });

  it("threads in which a question is open: by the table of open questions, and not by all threads", async () => {
    const found = await scans(threadsQuery(tables, { interrupted: true }), [null, 51]);
    const ofThreads = found.filter(({ table }) => table === "perdure_threads");
    expect(ofThreads).toMatchObject([{ node: expect.stringMatching(/^Index/u) }]);
    expect(ofThreads[0]?.rows).toBeLessThanOrEqual(QUESTIONS);
  });

  it("have everything", async () => {
    const listed = new Set<string>();
    for (let after: string | undefined; ;) {
      const page = await checkpointer.listInterrupts({ limit: 300, ...(after === undefined ? {} : { after }) });
      for (const { threadId } of page.items) listed.add(threadId);
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(listed.size).toBe(QUESTIONS);
    const { items } = await checkpointer.listThreads({ limit: 2 });
    expect(items.map(({ threadId }) => threadId)).toEqual([`thread-${THREADS}`, `thread-${THREADS - 1}`]);
  });
});
