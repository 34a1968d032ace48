import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import { put, read } from "./conformance/store.ts";
import { openInOtherProcess } from "./other-process.ts";

describe("a file of SQLite", () => {
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "perdure-sqlite-"));
  });
  afterAll(() => rm(home, { recursive: true }));

  it("has one opener at a time, in this process, under any name of the file", async () => {
    const file = join(home, "made", "threads.db");
    const first = await openCheckpointer(`sqlite:${file}`);
    await symlink(file, join(home, "link.db"));
    for (const name of [file, join(home, "link.db")]) {
      const second = openCheckpointer(`sqlite:${name}`);
      await expect(second).rejects.toMatchObject({ code: "CHECKPOINTER_LOCKED" });
      await expect(second).rejects.toThrow(name);
    }
    await first.close();
    await (await openCheckpointer(`sqlite:${file}`)).close();
  });

  it("that another process has open is locked; after SIGKILL it opens, with all that was committed", async () => {
    const url = `sqlite:${join(home, "killed.db")}`;
    const other = await openInOtherProcess(url, "put", "t");
    try {
      await expect(openCheckpointer(url)).rejects.toMatchObject({ code: "CHECKPOINTER_LOCKED" });
    } finally {
      await other.kill();
    }
    const checkpointer = await openCheckpointer(url);
    expect((await read(checkpointer, "t"))?.checkpoint.channel_values).toEqual({ n: 1 });
    await checkpointer.close();
  });

  it("can be read by other programs while it is open", async () => {
    const file = join(home, "read.db");
    const checkpointer = await openCheckpointer(`sqlite:${file}`);
    await put(checkpointer, { threadId: "t" });
    const reader = new DatabaseSync(file, { readOnly: true });
    expect(reader.prepare("SELECT thread_id FROM checkpoints").all()).toEqual([{ thread_id: "t" }]);
    reader.close();
    await checkpointer.close();
  });

  it("of another kind, or of a newer release, is refused, and is not left locked", async () => {
    const file = join(home, "other.db");
    await writeFile(file, "This is no database, and long enough to be seen as none.".repeat(20));
    await expect(openCheckpointer(`sqlite:${file}`)).rejects.toMatchObject({ code: "CHECKPOINTER_UNREACHABLE" });
    await rm(file);
    const newer = new DatabaseSync(file);
    newer.exec("PRAGMA user_version = 99");
    newer.close();
    await expect(openCheckpointer(`sqlite:${file}`)).rejects.toMatchObject({ code: "CHECKPOINTER_UNSUPPORTED" });
    await rm(file);
    await (await openCheckpointer(`sqlite:${file}`)).close();
  });

  it("in memory needs no lock, and two of them share nothing", async () => {
    const [one, two] = await Promise.all([openCheckpointer("sqlite::memory:"), openCheckpointer("sqlite::memory:")]);
    await put(one, { threadId: "t" });
    expect(await read(two, "t")).toBeUndefined();
    await Promise.all([one.close(), two.close()]);
  });
});
