import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, inject, it } from "vitest";
import { runProgram } from "./run-program.ts";

const MAIN = fileURLToPath(new URL("../../examples/temporal-desk/main.ts", import.meta.url));
const MESSAGES = 10;
const REFUNDS = 5;
const DECISIONS = 7;

const demo = (args: readonly string[], env?: NodeJS.ProcessEnv) => runProgram(MAIN, args, env);

/** Whether it can find its servers here. */
const hasServers = inject("temporalAddress") !== "" && inject("postgresUrl") !== "";

describe("npm run demo:temporal", { timeout: 300_000 }, () => {
  it.runIf(hasServers)(
    "makes each approved refund exactly once, though a worker is killed while one is on its way, and the server after it; what nobody decides about goes to the team lead",
    async () => {
      const { status, stdout, stderr } = await demo(["--yes", "--json"]);
      expect(status, stderr).toBe(0);
      expect(JSON.parse(stdout), stderr).toEqual({
        threads: MESSAGES,
        done: MESSAGES,
        approvals: DECISIONS,
        killed: 1,
        resumed: expect.toSatisfy((resumed: number) => resumed >= 1 && resumed <= MESSAGES),
        refunds: REFUNDS,
        duplicateRefunds: 0,
        model: "scripted",
        serverRestarts: 1,
      });
      expect(stderr).toMatch(/Worker \d+ was killed \(SIGKILL\) at work\. Worker \d+ goes on/);
      expect(stderr).toContain("had left the account before the crash: nothing moves");
      expect(stderr).toContain("The Temporal server was killed (SIGKILL), and started again");
      expect(stderr).toContain("case-110  refund_order A-1012: nobody decided in time, the team lead is asked");
      expect(stderr).toMatch(/^case-110 .* escalate, approve /m);
    },
  );

  it.runIf(hasServers && process.platform !== "win32")(
    "ends with status 2 and says why when one of its servers does not start, and leaves none of the others behind",
    async () => {
      const folder = await mkdtemp(path.join(tmpdir(), "no-temporal-"));
      try {
        await writeFile(path.join(folder, "temporal"), "#!/bin/sh\necho not today >&2; exit 1\n", { mode: 0o755 });
        const PATH = `${folder}${path.delimiter}${process.env["PATH"]}`;
        // it comes to an end, which it could not beside a server of its own
        const { status, stdout, stderr } = await demo(["--yes", "--json"], { ...process.env, PATH });
        expect([status, stdout]).toEqual([2, ""]);
        expect(stderr).toContain("Temporal could not be started: The Temporal server ended: not today");
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  );

  it("ends with status 2 and says why when it can't begin: an unknown option, no terminal, options that npm kept", async () => {
    const outcomes = await Promise.all([
      demo(["--fast"]),
      demo([]),
      demo(["--yes"], { ...process.env, npm_lifecycle_event: "demo:temporal", npm_config_json: "true" }),
    ]);
    expect(outcomes.map(({ status, stdout }) => [status, stdout])).toEqual(Array(3).fill([2, ""]));
    const why = ["--fast", "no terminal", "use `npm run demo:temporal -- --json --yes`"];
    outcomes.forEach(({ stderr }, index) => expect(stderr).toContain(why[index]));
  });
});
