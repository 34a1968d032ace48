import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCheckpointer } from "perdure/checkpoint";
import { describeCheckpointer } from "./conformance/describe-checkpointer.ts";

describeCheckpointer("sqlite:", {
  fresh: async () => {
    const directory = await mkdtemp(join(tmpdir(), "perdure-sqlite-"));
    return {
      open: () => openCheckpointer(`sqlite:${directory}/threads.db`),
      remove: () => rm(directory, { recursive: true }),
    };
  },
  durable: true,
  shared: false,
  storesChannelsApart: true,
  propertyRuns: 15,
});
