/** A serializer of the caller writes every value that a checkpointer stores, whatever the kind: what it hides is hidden. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { INTERRUPT } from "@langchain/langgraph-checkpoint";
import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collect, newThread, put, putWrites, read } from "./conformance/store.ts";
import { scramblingSerde } from "./differential/stores.ts";

const SECRET = "4111-1111-PLAINTEXT";
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "perdure-serde-"));
});
afterAll(() => rm(directory, { recursive: true }));

/** Stores the secret in every place that takes a value, and expects it back. */
async function expectKept(checkpointer: Checkpointer): Promise<void> {
  const threadId = newThread();
  const value = { card: SECRET, bytes: Buffer.from(SECRET).toString() };
  const head = await put(checkpointer, { threadId, values: { channel: value, list: [value, SECRET] } });
  await putWrites(checkpointer, { threadId, checkpointId: head }, [["channel", value]], "done");
  await putWrites(checkpointer, { threadId, checkpointId: head }, [[INTERRUPT, { id: "i", value }]], "asks");
  await checkpointer.updateRecord(threadId, (record) => ({
    ...record,
    signals: [{ id: "s", name: "mail", payload: value, at: "2026-01-01T00:00:00.000Z" }],
  }));
  const task = { checkpointNs: "", checkpointId: head, taskId: "answered", earlier: [] };
  const answers = [{ interruptId: "answered", answer: value, task }];
  expect(await checkpointer.commitAnswers(threadId, { headCheckpointId: head, answers })).toEqual(["accepted"]);

  for (const id of [threadId, `copy of ${threadId}`]) {
    if (id !== threadId) await checkpointer.copyThread(threadId, id);
    const tuple = await read(checkpointer, id);
    expect(tuple?.checkpoint.channel_values).toEqual({ channel: value, list: [value, SECRET] });
    expect(tuple?.pendingWrites).toEqual(
      expect.arrayContaining([
        ["done", "channel", value],
        ["asks", INTERRUPT, { id: "i", value }],
        ["answered", "__resume__", [value]],
      ]),
    );
    expect(await collect(checkpointer.list({ configurable: { thread_id: id } }, { filter: { step: 0 } }))).toHaveLength(
      1,
    );
    expect((await checkpointer.readRecord(id))?.signals[0]?.payload).toEqual(value);
    expect((await checkpointer.readAnswer(id, "answered"))?.answer).toEqual(value);
    const { items } = await checkpointer.listInterrupts();
    expect(items.filter((open) => open.threadId === id).map((open) => open.value)).toEqual([value]);
  }
  const again = await checkpointer.commitAnswers(threadId, { headCheckpointId: head, answers });
  expect(again).toEqual(["same"]);
  await put(checkpointer, { threadId, parent: head, values: { channel: value } });
  expect(await checkpointer.prune({ threadId, keepNewest: 1 })).toEqual({ threads: 0, checkpoints: 1 });
  expect((await read(checkpointer, threadId))?.checkpoint.channel_values).toEqual({ channel: value });
}

describe("a serializer of the caller", () => {
  it.each(["memory:", "sqlite::memory:", "pglite:memory"])("on %s writes and reads every value", async (url) => {
    let written = 0;
    const checkpointer = await openCheckpointer(url, {
      serde: {
        dumpsTyped(value) {
          written += 1;
          return scramblingSerde.dumpsTyped(value);
        },
        // Only what it wrote itself comes back to it.
        loadsTyped(type, data) {
          expect(type).toMatch(/^scrambled /u);
          return scramblingSerde.loadsTyped(type, data);
        },
      },
    });
    await expectKept(checkpointer);
    expect(written).toBeGreaterThan(0);
    await checkpointer.close();
  });

  it.each(["sqlite", "pglite"])("on %s leaves nothing of the values in the files", async (scheme) => {
    const path = join(directory, scheme);
    const checkpointer = await openCheckpointer(`${scheme}:${path}`, { serde: scramblingSerde });
    await expectKept(checkpointer);
    await checkpointer.close();
    let found = 0;
    for (const file of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!file.isFile() || !join(file.parentPath, file.name).startsWith(path)) continue;
      const bytes = await readFile(join(file.parentPath, file.name));
      expect(bytes.includes(SECRET), file.name).toBe(false);
      found += Number(bytes.includes("thread-"));
    }
    expect(found, "the files are those of the threads").toBeGreaterThan(0);
  });

  it("on memory: that gives Buffers away as they are: what was read is the reader's, what was put is a copy", async () => {
    const given = Buffer.from("stored");
    const checkpointer = await openCheckpointer("memory:", {
      serde: {
        dumpsTyped: async (value) =>
          value instanceof Uint8Array ? ["raw", Buffer.from(value.buffer)] : scramblingSerde.dumpsTyped(value),
        loadsTyped: async (type, data) => (type === "raw" ? data : scramblingSerde.loadsTyped(type, data)),
      },
    });
    const threadId = newThread();
    const checkpointId = await put(checkpointer, { threadId });
    const bytes = new Uint8Array(given);
    await putWrites(checkpointer, { threadId, checkpointId }, [["file", bytes]]);
    const fileOf = async (): Promise<Uint8Array> =>
      (await read(checkpointer, threadId))?.pendingWrites?.[0]?.[2] as Uint8Array;
    bytes.fill(0);
    (await fileOf()).fill(1);
    expect(await fileOf()).toEqual(new Uint8Array(given));
    await checkpointer.close();
  });

  it.each(["sqlite", "pglite"])("on %s is asked for when it is missing: its values can't be read", async (scheme) => {
    const url = `${scheme}:${join(directory, `missing-${scheme}`)}`;
    const type = scheme === "sqlite" ? "json" : "aes";
    const serde: SerializerProtocol = {
      dumpsTyped: async (value) => [type, Buffer.from(`${SECRET}${JSON.stringify(value)}`)],
      loadsTyped: async (_type, data) =>
        JSON.parse(
          Buffer.from(data as Uint8Array)
            .toString()
            .slice(SECRET.length),
        ) as unknown,
    };
    const written = await openCheckpointer(url, { serde });
    const threadId = newThread();
    await put(written, { threadId, values: { channel: "x" } });
    await written.close();
    const without = await openCheckpointer(url);
    await expect(read(without, threadId)).rejects.toMatchObject({
      code: "CHECKPOINT_DAMAGED",
      message: expect.stringContaining(`a stored value of the type "${type}" can't be read`),
      hint: expect.stringContaining("the same `serde`"),
    });
    await without.close();
  });
});
