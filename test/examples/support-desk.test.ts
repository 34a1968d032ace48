import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { DeskResult } from "../../examples/support-desk/report.ts";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";

const MAIN = fileURLToPath(new URL("../../examples/support-desk/main.ts", import.meta.url));
const MESSAGES = 10;
/** Approved as asked: A-1001, A-1002, A-1004, A-1012; with another amount: A-1010. Rejected: A-1003, A-1006. */
const REFUNDS = 5;
const DECISIONS = 7;

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function npmStart(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ["--conditions=perdure-source", MAIN, ...args],
      { env },
      (_, stdout, stderr) => resolve({ status: child.exitCode, stdout, stderr }),
    );
  });
}

function expectExactlyOnce({ status, stdout, stderr }: Outcome): void {
  expect(JSON.parse(stdout), stderr).toEqual({
    threads: MESSAGES,
    done: MESSAGES,
    approvals: DECISIONS,
    killed: 1,
    resumed: expect.toSatisfy((resumed: DeskResult["resumed"]) => resumed >= 1 && resumed <= MESSAGES),
    refunds: REFUNDS,
    duplicateRefunds: 0,
    model: "scripted",
  });
  expect(status).toBe(0);
}

describe("npm start", { timeout: 60_000 }, () => {
  it("is killed while a refund is on its way, and a second process makes each approved refund exactly once", async () => {
    const outcome = await npmStart(["--yes", "--json"]);

    expectExactlyOnce(outcome);
    expect(outcome.stderr).toMatch(/Process \d+ was killed \(SIGKILL\) at work\. Process \d+ goes on/);
    expect(outcome.stderr).toContain("had left the account before the crash: nothing moves");
    expect(outcome.stderr).toContain("The model is a script");
  });

  it("keeps its data where it is told, and has nothing left to do there the next time", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "support-desk-"));
    try {
      expectExactlyOnce(await npmStart(["--yes", "--json", "--data", folder]));
      const again = await npmStart(["--yes", "--json", "--data", folder]);
      expect(JSON.parse(again.stdout)).toMatchObject({
        done: MESSAGES,
        killed: 0,
        resumed: 0,
        refunds: REFUNDS,
        duplicateRefunds: 0,
      });
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

describeWithPostgres("npm start on Postgres", { timeout: 60_000 }, () => {
  it("does the same there", async () => {
    const database = await freshDatabase();
    try {
      expectExactlyOnce(await npmStart(["--yes", "--json", "--database", database.url]));
    } finally {
      await database.drop();
    }
  });
});
