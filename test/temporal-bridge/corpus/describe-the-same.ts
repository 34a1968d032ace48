import type { Checkpointer } from "perdure/checkpoint";
import { openCheckpointer } from "perdure/checkpoint";
import { afterAll, beforeAll, test } from "vitest";
import { describeWithTemporal, temporalRig } from "../../support/temporal.ts";
import type { TemporalRig } from "../../support/temporal.ts";
import type { CorpusGraph } from "./corpus-graph.ts";
import { GRANULARITIES, hostCorpus } from "./host-corpus.ts";
import type { HostedCorpus } from "./host-corpus.ts";
import { playInProcess } from "./play-in-process.ts";
import { playOnTemporal } from "./play-on-temporal.ts";
import { comparable } from "./story.ts";

/** Where the threads on Temporal live. */
export interface OpenStore {
  readonly checkpointer: Checkpointer;
  close(): Promise<void>;
}

async function inMemory(): Promise<OpenStore> {
  const checkpointer = await openCheckpointer("memory:");
  return { checkpointer, close: () => checkpointer.close() };
}

/** Says of each graph that it is the same in process and on Temporal. */
export function describeTheSame(
  title: string,
  corpus: readonly CorpusGraph[],
  open: () => Promise<OpenStore> = inMemory,
): void {
  describeWithTemporal(title, () => {
    let hosted: HostedCorpus;
    let store: OpenStore;
    let rig: TemporalRig<Readonly<Record<string, never>>>;
    beforeAll(async () => {
      hosted = await hostCorpus(corpus);
      store = await open();
      rig = await temporalRig(hosted.graphs, { checkpointer: store.checkpointer, settings: hosted.settings });
    });
    afterAll(async () => {
      await rig.stop();
      await store.close();
      await hosted.close();
    });

    test.concurrent.for(corpus)("$name", async (graph, { expect }) => {
      const memory = await openCheckpointer("memory:");
      const inProcess = await playInProcess(graph, memory, "thread");
      for (const granularity of GRANULARITIES) {
        const id = rig.newId();
        const onTemporal = await playOnTemporal(graph, hosted.copyOf(graph, granularity), rig, id, inProcess, expect);
        expect(comparable(onTemporal), granularity).toEqual(comparable(inProcess.story));
      }
      await memory.close();
    });
  });
}
