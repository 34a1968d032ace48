import { openCheckpointer } from "perdure/checkpoint";
import { describeCheckpointer } from "./conformance/describe-checkpointer.ts";

describeCheckpointer("memory:", {
  fresh: async () => ({ open: () => openCheckpointer("memory:") }),
  durable: false,
  shared: false,
  storesChannelsApart: false,
  propertyRuns: 60,
});
