import { expect, it } from "vitest";
import { dropKeptValue, keepValue, readKeptValue } from "perdure/checkpoint";
import { describeOnEachCheckpointer } from "../support/describe-on-each-checkpointer.ts";

describeOnEachCheckpointer("a value that is kept by itself", (store) => {
  it("is read by its key, is in no list, and is gone once it was dropped", async () => {
    const { checkpointer } = store;
    const value = { text: "x".repeat(300_000), list: [1, { a: null }], nothing: null };
    const key = await keepValue(checkpointer, value);
    expect(await readKeptValue(checkpointer, key)).toEqual({ value });
    expect((await checkpointer.listThreads()).items).toEqual([]);
    await dropKeptValue(checkpointer, key);
    expect(await readKeptValue(checkpointer, key)).toBeUndefined();
  });
});
