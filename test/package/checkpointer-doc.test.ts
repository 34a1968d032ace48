import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { Annotation, Command, END, START, StateGraph, interrupt } from "@langchain/langgraph";
import { INTERRUPT, emptyCheckpoint } from "@langchain/langgraph-checkpoint";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { openCheckpointer, openStore } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { Client, Pool } from "pg";
import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import { openOptionsSchema } from "../../src/checkpoint/open-options.ts";
import { collect } from "../support/collect.ts";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";

const root = new URL("../../", import.meta.url);
const page = readFileSync(new URL("docs/checkpointer.md", root), "utf8");

/** What stands under a heading. */
function section(heading: string): string {
  const [, text] = page.split(`\n## ${heading}\n`);
  if (text === undefined) throw new Error(`docs/checkpointer.md has no heading "${heading}".`);
  return text.split("\n## ")[0] ?? "";
}

/** The program under a heading, and what the page says that it prints. */
function programOf(heading: string): { readonly program: string; readonly printed: string | undefined } {
  const text = section(heading).replaceAll(/^ {3}/gmu, ""); // of a list
  const [, program = "", printed] = /```ts\n([\s\S]*?)```\n(?:\n```\n([\s\S]*?)```)?/u.exec(text) ?? [];
  return { program, printed };
}

async function run(program: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=perdure-source", "--input-type=module-typescript", "--eval", program],
    { cwd: root, env: { ...process.env, NODE_OPTIONS: "--disable-warning=ExperimentalWarning", ...env } },
  );
  return stdout;
}

const State = Annotation.Root({ cents: Annotation<number>(), rounds: Annotation<number | undefined>() });
const asks = new StateGraph(State)
  .addNode("ask", ({ cents }) => ({ rounds: interrupt<{ cents: number }, number>({ cents }) }))
  .addEdge(START, "ask");
const loops = new StateGraph(State)
  .addNode("turn", ({ rounds }) => ({ rounds: (rounds ?? 0) + 1 }))
  .addEdge(START, "turn")
  .addConditionalEdges("turn", ({ rounds = 0, cents }) => (rounds < cents ? "turn" : END));
const on = (thread_id: string) => ({ configurable: { thread_id }, recursionLimit: 100 });

/** A thread whose only checkpoint is so old, done or with a question that is open. */
async function putOld(saver: BaseCheckpointSaver, threadId: string, days: number, waits: boolean): Promise<void> {
  const checkpoint = { ...emptyCheckpoint(), ts: new Date(Date.now() - days * 24 * 3600 * 1000).toISOString() };
  const metadata = { source: "loop", step: 0, parents: {} } as const;
  const config = await saver.put(
    { configurable: { thread_id: threadId, checkpoint_ns: "" } },
    checkpoint,
    metadata,
    {},
  );
  if (waits) await saver.putWrites(config, [[INTERRUPT, { value: "well?" }]], "task");
}

describe("docs/checkpointer.md", () => {
  test("names every option, and its default", () => {
    const rows = [...section("Options").matchAll(/^\| `(\w+)` \| (?:`(.*?)`)?/gmu)];
    const defaults = openOptionsSchema.parse({}) as Record<string, unknown>;
    const names = rows.map(([, name = ""]) => name);
    expect(names.toSorted()).toEqual(Object.keys(openOptionsSchema.shape).toSorted());
    for (const [, name = "", value] of rows) {
      expect(value === undefined ? undefined : JSON.parse(value), name).toEqual(defaults[name]);
    }
  });

  test("says where its names are imported from", async () => {
    const [all, rooms] = await Promise.all([import("perdure"), import("perdure/checkpoint")]);
    expect(Object.keys(all).filter((name) => name in rooms)).toEqual(["openCheckpointer"]);
  });

  test("names what a URL asks of a pooler, and a pool of one's own does not", async () => {
    const sent: string[][] = [];
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (startup) => {
        sent.push(startup.subarray(8).toString().split("\0"));
        socket.destroy();
      });
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const url = `postgres://app:none@127.0.0.1:${(server.address() as AddressInfo).port}/threads`;
    const pool = new Pool({ connectionString: url });
    await expect(openCheckpointer(url, { statementTimeoutMs: 5000 })).rejects.toThrow("CHECKPOINTER_UNREACHABLE");
    await expect(openCheckpointer(pool)).rejects.toThrow("CHECKPOINTER_UNREACHABLE");
    const [ofUrl = [], ofPool = []] = [sent[0], sent.at(-1)];
    const timeouts = (parameters: readonly string[]) => parameters.filter((name) => name.includes("timeout"));
    expect(timeouts(ofPool)).toEqual([]);
    expect(timeouts(ofUrl)).toEqual(["statement_timeout"]);
    for (const name of timeouts(ofUrl)) expect(section("Poolers")).toContain(`\`${name}\``);
    await pool.end();
    await new Promise((resolve) => server.close(resolve));
  });
});

describeWithPostgres("the programs of docs/checkpointer.md", () => {
  let database: FreshDatabase;
  let env: Record<string, string>;
  beforeEach(async () => {
    database = await freshDatabase();
    env = { DATABASE_URL: database.url };
  });
  const opened: Checkpointer[] = [];
  const open = async (url = database.url, options = {}): Promise<Checkpointer> => {
    const checkpointer = await openCheckpointer(url, options);
    opened.push(checkpointer);
    return checkpointer;
  };
  const query = async <Row extends Record<string, unknown>>(sql: string): Promise<Row[]> => {
    const client = new Client({ connectionString: database.url });
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const tables = async (): Promise<string[]> => {
    const rows = await query<{ name: string }>("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'");
    return rows.map(({ name }) => name);
  };
  afterEach(async () => {
    for (const checkpointer of opened.splice(0)) await checkpointer.close();
    await database.drop();
  });

  it("imports the threads of PostgresSaver into the same database, where they go on, also without the old tables", async () => {
    const old = PostgresSaver.fromConnString(database.url);
    await old.setup();
    for (const id of ["case-41", "case-42"]) await asks.compile({ checkpointer: old }).invoke({ cents: 5 }, on(id));
    await asks.compile({ checkpointer: old }).invoke(new Command({ resume: 7 }), on("case-41"));
    await old.end();

    const { program, printed } = programOf("From PostgresSaver");
    expect(await run(program, env)).toBe(printed);
    expect((await run(program, env)).replaceAll(/\s+/gu, " ")).toContain(
      "skipped: [ 'case-41', 'case-42' ], failed: [] }",
    );
    const [, names = ""] = /Drop them \(([\s\S]*?)\)/u.exec(section("From PostgresSaver")) ?? [];
    await query(`DROP TABLE ${names.replaceAll("`", "")}`);
    expect((await tables()).filter((name) => !name.startsWith("perdure_"))).toEqual([]);
    const checkpointer = await open();
    const graph = asks.compile({ checkpointer });
    const [question] = (await checkpointer.listInterrupts()).items;
    expect(question).toMatchObject({ threadId: "case-42", value: { cents: 5 } });
    await graph.invoke(new Command({ resume: { [question?.id ?? ""]: 9 } }), on("case-42"));
    expect((await graph.getState(on("case-41"))).values).toEqual({ cents: 5, rounds: 7 });
    expect((await graph.getState(on("case-42"))).values).toEqual({ cents: 5, rounds: 9 });
  });

  it("reads an inbox page by page; threads are listed as they began, and keep their places", async () => {
    const checkpointer = await open();
    const graph = asks.compile({ checkpointer });
    for (const n of [1, 2, 3]) await graph.invoke({ cents: n * 100 }, on(`case-${n}`));
    const { program, printed } = programOf("Lists");
    expect(await run(program, env)).toBe(printed);
    await graph.invoke(new Command({ resume: 1 }), on("case-1"));
    const threads = async (interrupted: boolean) =>
      (await checkpointer.listThreads({ interrupted })).items.map(({ threadId }) => threadId);
    expect(await threads(false)).toEqual(["case-3", "case-2", "case-1"]);
    expect(await threads(true)).toEqual(["case-3", "case-2"]);
  });

  it("prunes: long threads are trimmed and go on, old ones that are done go, those that wait stay", async () => {
    const checkpointer = await open();
    const graph = loops.compile({ checkpointer });
    await graph.invoke({ cents: 30 }, on("long"));
    await putOld(checkpointer, "old", 91, false);
    await putOld(checkpointer, "old and waits", 91, true);
    await putOld(checkpointer, "of late", 89, false);
    const { program, printed } = programOf("Removing what is old");
    expect(await run(program, env)).toBe(printed);
    expect(await collect(checkpointer.list(on("long")))).toHaveLength(20);
    const { items } = await checkpointer.listThreads();
    expect(items.map(({ threadId }) => threadId)).toEqual(["of late", "old and waits", "long"]);
    expect(await graph.invoke({ cents: 31 }, on("long"))).toEqual({ cents: 31, rounds: 31 });
    expect(await checkpointer.prune({ olderThanMs: 90 * 24 * 3600 * 1000, finishedOnly: false })).toMatchObject({
      threads: 1,
    });
  });

  it("copies a thread, with its open questions, and never over another one", async () => {
    const checkpointer = await open();
    const graph = asks.compile({ checkpointer });
    await graph.invoke({ cents: 5 }, on("case-42"));
    const { program, printed } = programOf("Copying a thread");
    expect(await run(program, env)).toBe(printed);
    const questions = (await checkpointer.listInterrupts()).items.map(({ threadId }) => threadId);
    expect(questions.toSorted()).toEqual(["case-42", "case-42 for a look"]);
    await expect(run(program, env)).rejects.toThrow("THREAD_EXISTS");
  });

  it("prints the SQL of the tables; with the rights that it names a user needs no more, and the third one for a store only", async () => {
    const statements = await run(programOf("Tables made by somebody else").program);
    const [, grants = ""] = /```sql\n([\s\S]*?)```/u.exec(section("Tables made by somebody else")) ?? [];
    const [onSchema = "", onTables = "", onSequences = ""] = grants.split("\n");
    // Roles are the whole server's.
    const role = `app_${new URL(database.url).pathname.slice(1)}`;
    const grant = (statement: string) => query(statement.replace(" app;", ` ${role};`));
    await query(statements);
    await query(`CREATE ROLE ${role} LOGIN`);
    await grant(onSchema);
    await grant(onTables);
    const url = new URL(database.url);
    url.username = role;
    const checkpointer = await open(url.href, { setup: false });
    const store = await openStore(checkpointer, { setup: false });
    const graph = asks.compile({ checkpointer });
    await graph.invoke({ cents: 5 }, on("case-42"));
    await graph.invoke(new Command({ resume: 7 }), on("case-42"));
    await checkpointer.copyThread("case-42", "copy");
    await checkpointer.commitAnswers("copy", { headCheckpointId: "none", answers: [] });
    await checkpointer.updateRecord("copy", (record) => record);
    await checkpointer.prune({ keepNewest: 1 });
    await checkpointer.deleteThread("copy");
    expect((await graph.getState(on("case-42"))).values).toEqual({ cents: 5, rounds: 7 });
    await expect(store.put(["users"], "ana", { likes: "pizza" })).rejects.toThrow("GRANT USAGE ON ALL SEQUENCES");
    await grant(onSequences);
    await store.put(["users"], "ana", { likes: "pizza" });
    expect((await store.get(["users"], "ana"))?.value).toEqual({ likes: "pizza" });
    await query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  it("encrypts every value, and reads them again", async () => {
    const { program } = programOf("Encryption");
    const use = `
      import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";
      const graph = new StateGraph(Annotation.Root({ notes: Annotation<string[]>() }))
        .addNode("ask", ({ notes }) => ({ notes: [...notes, interrupt("secret question")] }))
        .addEdge(START, "ask")
        .compile({ checkpointer });
      const config = { configurable: { thread_id: "case-42" } };
      await graph.invoke({ notes: ["secret note"] }, config);
      console.log((await graph.getState(config)).values.notes, (await checkpointer.listInterrupts()).items[0]!.value);
        await checkpointer.close();`;
    const printed = await run(program + use, { ...env, THREADS_KEY: "ab".repeat(32) });
    expect(printed).toBe("[ 'secret note' ] secret question\n");
    const without = asks.compile({ checkpointer: await open() });
    await expect(without.getState(on("case-42"))).rejects.toThrow("CHECKPOINT_DAMAGED");
    const dumps: string[] = [];
    for (const name of await tables()) {
      dumps.push(
        ...(await query<{ row: string }>(`SELECT to_jsonb(t)::text AS row FROM ${name} t`)).map(({ row }) => row),
      );
    }
    expect(dumps.filter((dump) => dump.includes("case-42"))).toHaveLength(1);
    // As text, or as hex digits.
    expect(dumps.filter((dump) => /secret|736563726574/u.test(dump))).toEqual([]);
  });

  it("shows what is stored of state that was changed in place", async () => {
    const { program, printed } = programOf("What is safe, and when");
    expect(await run(program, env)).toBe(printed);
  });
});
