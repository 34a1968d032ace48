/** What a drive leaves behind in memory: a process that serves for months makes millions of them. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { memoryRunner } from "../support/memory-runner.ts";
import { TextLog } from "../support/text-log.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

test.each([undefined, 1])(
  "a run that is over keeps nothing of itself alive (maxConcurrency %s)",
  async (maxConcurrency) => {
    const signals: WeakRef<AbortSignal>[] = [];
    const look = (_state: unknown, { signal }: { signal?: AbortSignal }) => {
      signals.push(new WeakRef(signal!));
      return { log: "looked" };
    };
    const graph = new StateGraph(TextLog).addNode("a", look).addNode("b", look).addEdge(START, "a").addEdge(START, "b");
    const { runner, checkpointer } = await memoryRunner(graph);
    for (let run = 0; run < 20; run += 1) {
      await runner.start(`${run}`, {}, maxConcurrency === undefined ? {} : { maxConcurrency });
      await checkpointer.deleteThread(`${run}`);
    }
    expect(signals).toHaveLength(40);
    await expect
      .poll(() => {
        collectGarbage();
        return signals.filter((signal) => signal.deref() !== undefined).length;
      })
      .toBeLessThanOrEqual(2); // of the last run something may still be on the stack
  },
);
