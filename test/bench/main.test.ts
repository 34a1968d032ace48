import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, inject, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

describe("npm run bench", () => {
  test("runner --json ends with the ratio of each case as one line of JSON", async () => {
    const { stdout, code } = await bench("runner", "--json", "--rounds", "1", "--scale", "0.01");
    expect(code).toBe(0);
    const ratio: unknown = expect.any(Number);
    const last = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as unknown;
    expect(last).toEqual({ name: "runner", ratios: { loop: ratio, fanout: ratio, messages: ratio }, quick: true });
    for (const value of Object.values((last as { ratios: Record<string, number> }).ratios)) {
      expect(value).toBeGreaterThan(0);
    }
  });

  test("runner without --json prints a table with a row for each case, and no JSON", async () => {
    const { stdout, code } = await bench("runner", "--rounds", "1", "--scale", "0.01");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^a loop of 10 steps +\d+ +\d+ +\d+ +\d+\.\d\d/m);
    expect(stdout).toMatch(/^a fan-out 10 wide +\d+ +\d+ +\d+ +\d+\.\d\d/m);
    expect(stdout).toMatch(/^a loop of 5 messages +\d+ +\d+ +\d+ +\d+\.\d\d/m);
    expect(stdout).not.toContain("{");
  });

  test.skipIf(inject("postgresUrl") === "")(
    "checkpoint --json ends with the ratios and the bytes of a thread as one line of JSON",
    { timeout: 180_000 },
    async () => {
      const { stdout, stderr, code } = await bench("checkpoint", "--json", "--rounds", "1", "--scale", "0.01");
      expect(stderr).toBe("");
      expect(code).toBe(0);
      const last = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as unknown;
      const positive: unknown = expect.toSatisfy((value: unknown) => typeof value === "number" && value > 0);
      expect(last).toEqual({
        name: "checkpoint",
        ratios: {
          stepsPerSecond50: positive,
          stepsPerSecond1: positive,
          bytes1600: positive,
          history400: positive,
          getState1600: positive,
          resume1600: positive,
        },
        bytes1600: positive,
        quick: true,
      });
      expect(stdout).toMatch(/^steps\/s, 20-step runs, 2 threads( +[\d,.]+){6}$/m);
      expect(stdout).toMatch(/^statements, 1 thread( +[\d.]+){2}$/m);
      expect(stdout).toMatch(/^PGlite +perdure$/m);
    },
  );

  test.skipIf(inject("postgresUrl") === "" || inject("temporalAddress") === "")(
    "temporal --json ends with the four ratios as one line of JSON, after a table of the sides and one with the bars",
    { timeout: 180_000 },
    async () => {
      const { stdout, stderr, code } = await bench("temporal", "--json", "--rounds", "1", "--scale", "0.1");
      expect(stderr).toBe("");
      expect(code).toBe(0);
      const last = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as unknown;
      const positive: unknown = expect.toSatisfy((value: unknown) => typeof value === "number" && value > 0);
      expect(last).toEqual({
        name: "temporal",
        ratios: { cpuMemory: positive, cpuPostgres: positive, burst: positive, parked: expect.any(Number) as unknown },
        quick: true,
      });
      expect(stdout).toMatch(/^ +by hand +memory: +Postgres +Postgres, bursts +local start$/m);
      expect(stdout).toMatch(/^steps\/s, 2 runs at once( +\d+){5}$/m);
      expect(stdout).toMatch(/^CPU of the worker, ms a step( +\d+\.\d\d){5}$/m);
      expect(stdout).toMatch(/^bundle, KB( +\d+\.\d){5}$/m);
      expect(stdout).toMatch(/^Ours to what is written by hand +ratio +lowest +highest +bar$/m);
    },
  );

  test("--quick says first that it is a trial, and marks its JSON", async () => {
    const { stdout, code } = await bench("runner", "--quick", "--json", "--rounds", "1");
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toBe("A trial with 0.1 of the work: not the measurement.");
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({ name: "runner", quick: true });
  });

  test.each([[[]], [["--help"]]])("with the arguments %j it lists the benchmarks and measures none", async (args) => {
    const { stdout, code } = await bench(...args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}runner +CPU per superstep/m);
    expect(stdout).not.toContain("µs");
  });

  test.each([
    [["walker"], 'There is no benchmark "walker".'],
    [["toString"], 'There is no benchmark "toString".'],
    [["runner", "walker"], 'One benchmark at a time: what is "walker"?'],
    [["runner", "--fast"], "Unknown option '--fast'"],
    [["runner", "--rounds", "0"], '--rounds takes a number above 0, not "0".'],
    [["runner", "--rounds", "1.5"], '--rounds takes a whole number, not "1.5".'],
    [["runner", "--rounds", "many"], '--rounds takes a number above 0, not "many".'],
  ])("exits with code 2 and says what is wrong with the arguments %j", async (args, problem) => {
    const { stdout, stderr, code } = await bench(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(problem);
    expect(stderr).toMatch(/^ {2}runner /m);
    expect(stdout).toBe("");
  });
});

function bench(...args: string[]): Promise<{ stdout: string; stderr: string; code: number | null }> {
  const child = spawn(process.execPath, ["--conditions=perdure-source", "bench/main.ts", ...args], { cwd: root });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ stdout, stderr, code }));
  });
}
