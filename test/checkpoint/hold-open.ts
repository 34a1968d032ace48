/**
 * A process for tests: opens the checkpointer of its first argument, does what the second one says to the
 * thread of the third, prints "ready", and stays until it is killed, or ends by itself after `release` or `close`.
 */
import { emptyCheckpoint } from "@langchain/langgraph-checkpoint";
import { openCheckpointer } from "perdure/checkpoint";

const [url = "", action, threadId = ""] = process.argv.slice(2);
const checkpointer = await openCheckpointer(url);
if (action === "put") {
  const checkpoint = { ...emptyCheckpoint(), channel_values: { n: 1 }, channel_versions: { n: 1 } };
  const config = { configurable: { thread_id: threadId, checkpoint_ns: "" } };
  await checkpointer.put(config, checkpoint, { source: "input", step: -1, parents: {} }, { n: 1 });
}
const lock =
  action === "lock" || action === "release" || action === "close"
    ? await checkpointer.lockThread(threadId, { mode: "exclusive", wait: true })
    : undefined;
if (action === "close") {
  await lock?.release();
  await checkpointer.close();
}
process.stdout.write("ready\n");
if (action === "release") await lock?.release();
else if (action !== "close") setInterval(() => {}, 60_000);
