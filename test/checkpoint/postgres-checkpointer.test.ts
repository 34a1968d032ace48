import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openCheckpointer } from "perdure/checkpoint";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";
import { describeCheckpointer } from "./conformance/describe-checkpointer.ts";
import { newThread, put, putWrites, read } from "./conformance/store.ts";

describeWithPostgres("on a Postgres server", () => {
  let database: FreshDatabase;
  let stores = 0;
  beforeAll(async () => {
    database = await freshDatabase();
  });
  afterAll(() => database.drop());

  describeCheckpointer("postgres:", {
    fresh: async () => {
      const schema = `store_${(stores += 1)}`;
      return { open: () => openCheckpointer(database.url, { schema }) };
    },
    durable: true,
    shared: true,
    storesChannelsApart: true,
    propertyRuns: 10,
  });

  describe("beside LangGraph's PostgresSaver", () => {
    it("both read what the other has written", async () => {
      const schema = "beside_langgraph";
      const plain = PostgresSaver.fromConnString(database.url, { schema });
      await plain.setup();
      const ours = await openCheckpointer(database.url, { schema });
      const threadId = newThread();
      const config = { configurable: { thread_id: threadId, checkpoint_ns: "" } };

      const first = await put(ours, { threadId, values: { n: 1 } });
      await putWrites(ours, { threadId, checkpointId: first }, [["n", 2]]);
      expect(await plain.getTuple(config)).toEqual(await read(ours, threadId));
      const head = await plain.getTuple(config);
      if (head === undefined) throw new Error("nothing was read");
      const next = { ...head.checkpoint, id: "1fffffff-0000-6000-8000-000000000000" };
      await plain.put(head.config, next, { source: "loop", step: 1, parents: {} }, {});
      expect(await read(ours, threadId)).toMatchObject({
        checkpoint: { id: next.id, channel_values: { n: 1 } },
        parentConfig: { configurable: { checkpoint_id: first } },
      });
      await ours.close();
      await plain.end();
    });
  });
});
