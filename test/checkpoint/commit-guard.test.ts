import { emptyCheckpoint } from "@langchain/langgraph-checkpoint";
import { openCheckpointer } from "perdure/checkpoint";
import { expect, test } from "vitest";

test.each(["a\ud800", "\udc00", "a\0b", ""])(
  "a checkpoint of thread %j is refused: not every store keeps its name",
  async (id) => {
    const checkpointer = await openCheckpointer("memory:");
    const config = { configurable: { thread_id: id, checkpoint_ns: "" } };
    const put = checkpointer.put(config, emptyCheckpoint(), { source: "input", step: -1, parents: {} }, {});
    await expect(put).rejects.toMatchObject({ code: "OPTIONS_INVALID" });
    await checkpointer.close();
  },
);
