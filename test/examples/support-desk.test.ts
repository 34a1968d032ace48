import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { LLMock } from "@copilotkit/aimock";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ChatRequest } from "../../examples/local-model/chat-completions-server.ts";
import type { DeskResult } from "../../examples/support-desk/report.ts";
import { scriptedReply } from "../../examples/support-desk/scripted-agent.ts";
import { lockDatabase, lockFolder, openSql } from "../../examples/support-desk/sql.ts";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import { runProgram } from "./run-program.ts";
import type { Outcome } from "./run-program.ts";

const MAIN = fileURLToPath(new URL("../../examples/support-desk/main.ts", import.meta.url));
const MESSAGES = 10;
/** Approved as asked: A-1001, A-1002, A-1004, A-1012; with another amount: A-1010. Rejected: A-1003, A-1006. */
const REFUNDS = 5;
const DECISIONS = 7;

/** The script only looks whether there are any. */
const TOOLS: ChatRequest["tools"] = [{ function: { name: "lookup_order", description: "", parameters: {} } }];

const npmStart = (args: readonly string[], env?: NodeJS.ProcessEnv) => runProgram(MAIN, args, env);

function expectExactlyOnce({ status, stdout, stderr }: Outcome, model = "scripted"): void {
  expect(JSON.parse(stdout), stderr).toEqual({
    threads: MESSAGES,
    done: MESSAGES,
    approvals: DECISIONS,
    killed: 1,
    resumed: expect.toSatisfy((resumed: DeskResult["resumed"]) => resumed >= 1 && resumed <= MESSAGES),
    refunds: REFUNDS,
    duplicateRefunds: 0,
    model,
  });
  expect(status).toBe(0);
}

describe("npm start", { timeout: 300_000 }, () => {
  it("is killed while a refund is on its way, and a second process makes each approved refund exactly once, and none on a second run", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "support-desk-"));
    try {
      const outcome = await npmStart(["--yes", "--json", "--data", folder]);
      expectExactlyOnce(outcome);
      expect(outcome.stderr).toMatch(/Process \d+ was killed \(SIGKILL\) at work\. Process \d+ goes on/);
      expect(outcome.stderr).toContain("had left the account before the crash: nothing moves");
      expect(outcome.stderr).toContain("The model is a script");

      const again = await npmStart(["--yes", "--json", "--data", folder]);
      const nothingLeftToDo = { killed: 0, resumed: 0, refunds: REFUNDS, duplicateRefunds: 0 };
      expect(JSON.parse(again.stdout)).toMatchObject({ done: MESSAGES, ...nothingLeftToDo });
      expect(again.status).toBe(0);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("ends with status 2 and says why when it can't begin: an unknown option, no terminal, no key", async () => {
    const keyless = { ...process.env, OPENAI_API_KEY: "", ANTHROPIC_API_KEY: "" };
    const outcomes = await Promise.all([
      npmStart(["--fast"]),
      npmStart([]),
      npmStart(["--yes", "--model", "openai"], keyless),
      npmStart(["--yes", "--model", "anthropic"], keyless),
    ]);
    expect(outcomes.map(({ status, stdout }) => [status, stdout])).toEqual(Array(4).fill([2, ""]));
    const why = ["--fast", "no terminal", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"];
    outcomes.forEach(({ stderr }, index) => expect(stderr).toContain(why[index]));
  });
});

describe("npm start where it can't work", { timeout: 300_000 }, () => {
  it("ends with status 2 and one line: a file for a folder, a server that is not there, a folder in use", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "support-desk-"));
    const unlock = lockFolder(folder, "desk.lock"); // as another desk between its first process and its second
    try {
      const outcomes = await Promise.all([
        npmStart(["--yes", "--data", MAIN]),
        npmStart(["--yes", "--database", "postgres://me:secret@127.0.0.1:1/x"]),
        npmStart(["--yes", "--data", folder]),
      ]);
      expect(outcomes.map(({ status, stdout }) => [status, stdout])).toEqual(Array(3).fill([2, ""]));
      expect(outcomes.map(({ stderr }) => stderr)).toEqual([
        expect.stringMatching(/^.*main\.ts can't be used as a folder: EEXIST.*\n$/),
        expect.stringMatching(/^The database on 127\.0\.0\.1:1 can't be used: .*ECONNREFUSED.*\n$/),
        `The folder ${folder} can't be used: another desk works in it.\n`,
      ]);
    } finally {
      unlock();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("npm start with a provider's model", { timeout: 300_000 }, () => {
  // The providers' protocols, spoken by aimock; what is said in them is the script's.
  const provider = new LLMock({ port: 0 });
  beforeAll(async () => {
    provider.on({ predicate: () => true }, (request) => {
      const { content, toolCalls } = scriptedReply({ ...request, stream: false, tools: TOOLS } as ChatRequest);
      return toolCalls.length > 0 ? { toolCalls: [...toolCalls] } : { content };
    });
    await provider.start();
  });
  afterAll(() => provider.stop());

  it.each([
    ["openai", () => ({ OPENAI_API_KEY: "sk-not-to-be-shown", OPENAI_BASE_URL: `${provider.url}/v1` })],
    ["anthropic", () => ({ ANTHROPIC_API_KEY: "sk-not-to-be-shown", ANTHROPIC_BASE_URL: provider.url })],
  ])("does the same over the protocol of %s, and never shows the key", async (model, env) => {
    const outcome = await npmStart(["--yes", "--json", "--model", model], { ...process.env, ...env() });
    expectExactlyOnce(outcome, model);
    expect(outcome.stdout + outcome.stderr).not.toContain("sk-not-to-be-shown");
  });
});

describeWithPostgres("npm start on Postgres", { timeout: 300_000 }, () => {
  it("does the same there, and leaves the orders of another desk that works there alone", async () => {
    const database = await freshDatabase();
    try {
      const unlock = await lockDatabase(database.url); // as another desk
      const theirs = await openSql({ postgres: database.url });
      await theirs.sql.query("create schema support_desk create table orders ()");
      const second = await npmStart(["--yes", "--json", "--database", database.url]);
      const { host } = new URL(database.url);
      expect(second).toEqual({
        status: 2,
        stdout: "",
        stderr: `The database on ${host} can't be used: another desk works in it.\n`,
      });
      expect((await theirs.sql.query("select from support_desk.orders")).rows).toEqual([]);
      await theirs.close();
      await unlock();
      expectExactlyOnce(await npmStart(["--yes", "--json", "--database", database.url]));
    } finally {
      await database.drop();
    }
  });
});
