import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it, test } from "vitest";
import { parseSettings } from "../../src/temporal-bridge/worker/graph-settings.ts";
import { freshDatabase } from "../support/fresh-database.ts";
import { startTemporal } from "../support/temporal-server.ts";
import type { TemporalServer } from "../support/temporal-server.ts";
import { cleanFolder, plainEnvironment, typeErrors } from "./clean-folder.ts";
import { readManifest, root } from "./project.ts";

const page = readFileSync(join(root, "docs/temporal.md"), "utf8");

/** The programs of the page, by the file that the text before them names. */
const programs = new Map(
  [...page.matchAll(/`([\w-]+\.ts)`[^`]*(?:`[^`\n]*`[^`]*)*?\n\n```ts\n([\s\S]*?)```/gu)].map(
    ([, name = "", program = ""]) => [name, program] as const,
  ),
);

/** What the page says that a program prints. */
function printedBy(command: string): string {
  const text = page.split(command).slice(1).join(command);
  return /```\n\n```\n([\s\S]*?)```/u.exec(text)?.[1] ?? "nothing is said of it";
}

const packages = [...page.matchAll(/^npm install (.*)$/gmu)]
  .flatMap(([, names = ""]) => names.split(" "))
  .filter((name) => name !== "perdure");

describe("docs/temporal.md", () => {
  test("names every setting of a graph, and its default", () => {
    const defaults = parseSettings("the test", {});
    const rows = new Map(
      [...page.matchAll(/^\| `([\w.<>]+)` \| (?:`(.*?)`)?/gmu)].map(([, name = "", value]) => [name, value]),
    );
    const { burst, nodes: _nodes, ...others } = defaults;
    const flat: Record<string, unknown> = { ...others, "burst.maxSteps": burst.maxSteps, "burst.maxMs": burst.maxMs };
    expect([...rows.keys()].toSorted()).toEqual([...Object.keys(flat), "nodes.<name>"].toSorted());
    for (const [name, value] of Object.entries(flat)) expect(rows.get(name), name).toBe(JSON.stringify(value));
  });

  test("installs all that it needs of Temporal", () => {
    const peers = Object.keys(readManifest().peerDependencies).filter((name) => name.startsWith("@temporalio/"));
    expect(packages).toEqual(expect.arrayContaining(peers));
  });
});

const hasServers = inject("temporalAddress") !== "" && inject("postgresUrl") !== "";

describe.skipIf(!hasServers)("the programs of docs/temporal.md, from a clean folder", () => {
  let server: TemporalServer;
  let place: Awaited<ReturnType<typeof cleanFolder>>;
  const started: ChildProcess[] = [];
  /** What throws when a program ends badly, such as the worker of another one. */
  const failures: Promise<never>[] = [];
  beforeAll(async () => {
    place = await cleanFolder([...packages, "pg"]);
    for (const [name, program] of programs) await writeFile(join(place.folder, name), program);
    server = await startTemporal({ databaseFile: join(place.folder, "temporal.db") });
  });
  afterEach(async () => {
    failures.length = 0;
    for (const child of started.splice(0)) await end(child);
  });
  afterAll(async () => {
    await server?.stop();
    await place?.remove();
  });

  /** Starts `node <command>` in the folder. */
  function node(command: string, env: NodeJS.ProcessEnv = {}) {
    const child = spawn(process.execPath, command.split(" "), {
      cwd: place.folder,
      env: plainEnvironment({ TEMPORAL_ADDRESS: server.address, ...env }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    started.push(child);
    let out = "";
    let log = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
    const closed = once(child, "close");
    const failed = closed.then(() => {
      // a worker that is killed has no exit code
      if (child.exitCode !== 0 && child.exitCode !== null) throw new Error(`${command} failed: ${log}`);
      return new Promise<never>(() => {});
    });
    failed.catch(() => {}); // who waits for it is told
    failures.push(failed);
    return {
      child,
      said: () => out,
      /** Waits for its end, and returns what it printed. */
      printed: () => Promise.race([...failures, closed.then(() => out)]),
    };
  }

  /** Ends a process as a crash would. */
  async function end(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  test("are typed", async () => {
    expect([...programs.keys()]).toEqual(
      "graph.ts worker.ts client.ts start.ts answer.ts burst.ts queues.ts cancel.ts hand-over.ts stranded.ts cloud.ts".split(
        " ",
      ),
    );
    expect(await typeErrors(place.folder)).toBe("");
  });

  it("start a run, answer it, and bring it to its end though its worker is killed at work", async () => {
    const first = node("worker.ts");
    expect(await node("start.ts").printed()).toBe(printedBy("node start.ts\n"));
    const answering = node("answer.ts");
    await expect.poll(first.said).toBe(`process ${first.child.pid} pays for A-17\n`);
    await end(first.child);
    const second = node("worker.ts");
    expect(await answering.printed()).toBe(printedBy("node answer.ts\n"));
    expect(second.said()).toBe(`process ${second.child.pid} pays for A-17\n`);
  });

  it("run a node on a queue of its own, and cancel a run", async () => {
    const worker = node("queues.ts");
    expect(await node("cancel.ts").printed()).toBe(printedBy("`cancel.ts`"));
    await node("start.ts case-46").printed();
    expect(await node("answer.ts case-46").printed()).toBe(printedBy("node answer.ts\n"));
    expect(worker.said()).toContain("pays for A-17");
  });

  it("run in bursts, hand a thread over, and list nothing as stranded", async () => {
    const database = await freshDatabase();
    const env = { DATABASE_URL: database.url };
    const worker = node("burst.ts", env);
    try {
      const printed = await node("hand-over.ts", env).printed();
      expect(printed.replace(/^process \d+/u, "process 4711")).toBe(printedBy("`hand-over.ts`"));
      await node("start.ts case-47", env).printed();
      expect(await node("answer.ts case-47", env).printed()).toBe(printedBy("node answer.ts\n"));
      expect(await node("stranded.ts", env).printed()).toBe("");
    } finally {
      await end(worker.child);
      await database.drop();
    }
  });
});
