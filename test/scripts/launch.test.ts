import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { root } from "../package/project.ts";

interface Launch {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

// Stands in for npm: it "installs" what the lockfile says, and notes each call.
const fakeNpm = `
const fs = require("node:fs");
fs.appendFileSync("npm-calls", process.argv.slice(2).join(" ") + "\\n");
if (fs.existsSync("npm-fails")) {
  console.log("npm says why");
  process.exit(1);
}
setTimeout(() => {
  fs.mkdirSync("node_modules", { recursive: true });
  fs.copyFileSync("package-lock.json", "node_modules/.package-lock.json");
}, 300);
`;

const optionalPackage = { version: "1.0.0", optional: true };

describe("the launcher", () => {
  let project: string;

  beforeEach(() => {
    project = mkdtempSync(join(tmpdir(), "perdure-launch-"));
    mkdirSync(join(project, "scripts"));
    cpSync(join(root, "scripts", "launch.mjs"), join(project, "scripts", "launch.mjs"));
    writeFileSync(join(project, "npm-cli.js"), fakeNpm);
    lockfile({ "": {}, "node_modules/a": { version: "1.0.0" } });
  });

  afterEach(() => rmSync(project, { recursive: true, force: true }));

  function lockfile(packages: object): void {
    writeFileSync(join(project, "package-lock.json"), JSON.stringify({ packages }));
  }

  function installed(packages: object): void {
    mkdirSync(join(project, "node_modules"), { recursive: true });
    writeFileSync(join(project, "node_modules", ".package-lock.json"), JSON.stringify({ packages }));
  }

  function npmCalls(): string[] {
    const path = join(project, "npm-calls");
    return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
  }

  function start(args: readonly string[]) {
    const env = { ...process.env, npm_execpath: join(project, "npm-cli.js"), NODE_OPTIONS: "--no-deprecation" };
    return spawn(process.execPath, [join(project, "scripts", "launch.mjs"), ...args], { cwd: project, env });
  }

  async function launch(args: readonly string[], stdin = ""): Promise<Launch> {
    const child = start(args);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdin.end(stdin);
    const [code] = (await once(child, "close")) as [number | null];
    return { code, stdout, stderr };
  }

  it("passes arguments, stdin, stdout, stderr and the exit code through, and says nothing itself", async () => {
    installed({ "node_modules/a": { version: "1.0.0" } });
    writeFileSync(
      join(project, "echo.ts"),
      `const text: string = await new Response(process.stdin as never).text();
       console.log(JSON.stringify([process.argv.slice(2), text]));
       console.error("to stderr");
       process.exitCode = 7;`,
    );
    const result = await launch(["echo.ts", "--yes", "two words"], "from stdin");
    expect(result).toEqual({ code: 7, stdout: '[["--yes","two words"],"from stdin"]\n', stderr: "to stderr\n" });
    expect(npmCalls()).toEqual([]);
  });

  it("puts its Node.js and the project's tools first on PATH, and adds to NODE_OPTIONS what leads to the sources", async () => {
    installed({ "node_modules/a": { version: "1.0.0" } });
    const { stdout } = await launch(["node", "-p", "JSON.stringify([process.env.PATH, process.env.NODE_OPTIONS])"]);
    const [path, options] = JSON.parse(stdout) as [string, string];
    expect(path.split(":").slice(0, 2)).toEqual([join(process.execPath, ".."), join(project, "node_modules", ".bin")]);
    expect(options).toBe("--no-deprecation --conditions=perdure-source --disable-warning=ExperimentalWarning");
  });

  it("hands a signal on to the command and ends as the command does", async () => {
    installed({ "node_modules/a": { version: "1.0.0" } });
    const program = `process.on("SIGTERM", () => process.exit(3)); setInterval(() => {}, 1_000); console.log("up")`;
    const child = start(["node", "-e", program]);
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([3, null]);
  });

  it("ends by the signal that ended the command", async () => {
    installed({ "node_modules/a": { version: "1.0.0" } });
    const child = start(["node", "-e", 'process.kill(process.pid, "SIGKILL")']);
    expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
  });

  it("installs missing dependencies first, and says so on stderr only", async () => {
    const { code, stdout, stderr } = await launch(["node", "-p", "1"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "1\n" });
    expect(stderr).toMatch(/^perdure: installing the dependencies …\nperdure: done in \d+ s\n$/);
    expect(npmCalls()).toEqual([expect.stringMatching(/^ci /)]);
  });

  it("installs again once the lockfile asks for another version, and not for another platform's package", async () => {
    installed({ "node_modules/a": { version: "1.0.0" } });
    lockfile({ "": {}, "node_modules/a": { version: "1.0.0" }, "node_modules/b": optionalPackage });
    await launch(["node", "-p", "1"]);
    expect(npmCalls()).toEqual([]);
    lockfile({ "": {}, "node_modules/a": { version: "2.0.0" } });
    await launch(["node", "-p", "1"]);
    expect(npmCalls()).toHaveLength(1);
  });

  it("installs once when two start together, and both run", async () => {
    const results = await Promise.all([launch(["node", "-p", "1"]), launch(["node", "-p", "2"])]);
    expect(results.map(({ code, stdout }) => [code, stdout])).toEqual([
      [0, "1\n"],
      [0, "2\n"],
    ]);
    expect(npmCalls()).toHaveLength(1);
  });

  it("takes over the lock of a launch that was killed, whether its pid is free or taken again", async () => {
    const lock = join(project, ".cache", "launch.lock");
    const noPid = 2 ** 30; // greater than any system gives out
    for (const [pid, ageSeconds] of [
      [noPid, 0],
      [process.pid, 60],
    ]) {
      rmSync(join(project, "node_modules"), { recursive: true, force: true });
      mkdirSync(lock, { recursive: true });
      writeFileSync(join(lock, "pid"), String(pid));
      const touched = Date.now() / 1_000 - ageSeconds!;
      utimesSync(lock, touched, touched);
      expect((await launch(["node", "-p", "1"])).code).toBe(0);
      expect(existsSync(lock)).toBe(false);
    }
    expect(npmCalls()).toHaveLength(2);
  });

  it("runs nothing when npm fails, shows what npm said on stderr, and leaves no lock behind", async () => {
    writeFileSync(join(project, "npm-fails"), "");
    const { code, stdout, stderr } = await launch(["node", "-p", "1"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("npm says why\n");
    expect(existsSync(join(project, ".cache", "launch.lock"))).toBe(false);
  });
});
