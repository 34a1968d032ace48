import { inspect } from "node:util";
import { Client } from "pg";
import { describe, expect, it } from "vitest";
import { Checkpointer, openCheckpointer } from "perdure/checkpoint";

describe("openCheckpointer", () => {
  it("opens memory: with each of its spellings", async () => {
    for (const url of ["memory:", "memory://", "MEMORY:"]) {
      const checkpointer = await openCheckpointer(url);
      expect(checkpointer).toBeInstanceOf(Checkpointer);
      expect(checkpointer).toMatchObject({ description: "memory:", shared: false });
      await checkpointer.close();
    }
  });

  it.each([
    ["", "an empty URL"],
    ["threads", "without a scheme"],
    ["./threads.db", "without a scheme"],
    ["mysql://localhost/db", "mysql:"],
    ["memory:threads", "memory: takes no path"],
    ["sqlite:", "sqlite: without a path"],
    ["pglite://", "pglite: without a path"],
    ["pglite:a\0b", "pglite: without a path"],
  ])("refuses %j, and lists the schemes there are", async (url, message) => {
    const opening = openCheckpointer(url);
    await expect(opening).rejects.toMatchObject({ code: "CHECKPOINTER_URL_INVALID" });
    await expect(opening).rejects.toThrow(message);
    for (const scheme of ["memory:", "pglite:", "sqlite:", "postgres://"])
      await expect(opening).rejects.toThrow(scheme);
  });

  it.each([
    "postgres://me:s3cret@host:port/db",
    "postgres://me:s3cret#1@host/db",
    "postgres://me:53/s3cret@host/db",
    "postgres://me:53#s3cret@host/db",
    "postgresql://me:53?s3cret@host/db",
    "postgres://me:s3cret@host/100%",
  ])("refuses %s, which cannot be parsed, without repeating any of it", async (url) => {
    const opening = openCheckpointer(url);
    await expect(opening).rejects.toMatchObject({ code: "CHECKPOINTER_URL_INVALID" });
    await expect(opening).rejects.toThrow("percent-encoded");
    await expect(opening).rejects.not.toThrow(/s3cret|53/u);
    await expect(opening).rejects.not.toHaveProperty("cause");
  });

  it("opens PGlite in memory", async () => {
    const checkpointer = await openCheckpointer("pglite:memory");
    expect(checkpointer).toMatchObject({ description: "pglite:memory", shared: false });
    expect(await checkpointer.readRecord("t")).toBeUndefined();
    await checkpointer.close();
  });

  it("refuses what is neither a URL, a Pool nor a PGlite", async () => {
    for (const target of [new Client(), {}, null, undefined, 5]) {
      await expect(openCheckpointer(target as string)).rejects.toMatchObject({ code: "CHECKPOINTER_URL_INVALID" });
    }
  });

  it.each([
    [undefined, "the target can't be undefined: is the environment variable set?"],
    ["", "an empty URL: is the environment variable set?"],
    [null, "the target can't be null"],
    [5, "the target can't be 5"],
    [new Client(), "A pg.Client is one connection"],
  ])("says of the target %o what is wrong with it", async (target, message) => {
    await expect(openCheckpointer(target as string)).rejects.toThrow(message);
  });

  const circular: Record<string, unknown> = {};
  circular["me"] = circular;

  it.each([
    [{ schema: 'a"b' }, '`schema` can\'t be "a\\"b"'],
    [{ schema: "" }, '`schema` can\'t be ""'],
    [{ schema: "é".repeat(32) }, "63 bytes"],
    [{ poolSize: 5n }, "`poolSize` can't be 5n"],
    [{ poolSize: 0 }, "`poolSize` can't be 0"],
    [{ connectTimeoutMs: 1.5 }, "`connectTimeoutMs` can't be 1.5"],
    [{ statementTimeoutMs: -1 }, "`statementTimeoutMs` can't be -1"],
    [{ setup: "no" }, '`setup` can\'t be "no"'],
    [{ ssl: "s3cret" }, "`ssl` can't be a string"],
    [{ ssl: ["s3cret"] }, "`ssl` can't be an array"],
    [{ serde: { key: "s3cret" } }, "`serde` can't be an object"],
    [{ serde: circular }, "`serde` can't be an object"],
    [{ password: "s3cret" }, 'Unrecognized key: "password"'],
    [{ ssl: { key: "s3cret" }, poolsize: 5 }, 'Unrecognized key: "poolsize"'],
    [null, "what it was given can't be null"],
  ])("refuses the options %o, with the name and the value", async (options, message) => {
    const opening = openCheckpointer("memory:", options as object);
    await expect(opening).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await expect(opening).rejects.toThrow(message);
    const error: unknown = await opening.catch((reason: unknown) => reason);
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("s3cret");
  });
});
