import type { Checkpointer } from "perdure/checkpoint";
import { openCheckpointer } from "perdure/checkpoint";
import { afterAll, beforeAll, test } from "vitest";
import type { ExpectStatic } from "vitest";
import { describeWithTemporal, temporalRig } from "../../support/temporal.ts";
import type { CorpusGraph } from "./corpus-graph.ts";
import { WAYS, hostCorpus } from "./host-corpus.ts";
import type { HostedCorpus } from "./host-corpus.ts";
import { playInProcess } from "./play-in-process.ts";
import type { Played } from "./play-in-process.ts";
import { playOnBothSides } from "./play-on-both-sides.ts";
import { playOnTemporal } from "./play-on-temporal.ts";
import type { Rig } from "./play-on-temporal.ts";
import { comparable } from "./story.ts";
import type { Story } from "./story.ts";

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
export function describeTheSame(title: string, corpus: readonly CorpusGraph[], open = inMemory): void {
  describeBeside(title, corpus, open, (graph, hosted, rig, inProcess, expect) =>
    WAYS.map((way) => () => {
      const copy = hosted.copyOf(graph, way);
      return playOnTemporal(graph, copy, rig, rig.newId(), inProcess, expect);
    }),
  );
}

/** Says of each graph that it is the same in process and where its thread is handed over after each move. */
export function describeTheSameMoving(title: string, corpus: readonly CorpusGraph[], open = inMemory): void {
  describeBeside(title, corpus, open, (graph, hosted, rig, inProcess, expect) =>
    WAYS.map((way, index) => () => {
      const copy = hosted.copyOf(graph, way);
      const first = index === 0 ? "process" : "temporal";
      return playOnBothSides(graph, copy, rig, rig.newId(), inProcess, first, expect);
    }),
  );
}

/** Other ways to play a graph. */
type PlayOtherwise = (
  graph: CorpusGraph,
  hosted: HostedCorpus,
  rig: Rig,
  inProcess: Played,
  expect: ExpectStatic,
) => readonly (() => Promise<Story>)[];

/** Plays each graph in process, and says that its story is the same in other ways. */
function describeBeside(
  title: string,
  corpus: readonly CorpusGraph[],
  open: () => Promise<OpenStore>,
  others: PlayOtherwise,
): void {
  describeWithTemporal(title, () => {
    let hosted: HostedCorpus;
    let store: OpenStore;
    let rig: Rig;
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
      for (const play of others(graph, hosted, rig, inProcess, expect)) {
        expect(comparable(await play())).toEqual(comparable(inProcess.story));
      }
      await memory.close();
    });
  });
}
