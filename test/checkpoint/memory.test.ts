import { openCheckpointer } from "perdure/checkpoint";
import { describeCheckpointer } from "./conformance/describe-checkpointer.ts";

describeCheckpointer("memory:", { open: () => openCheckpointer("memory:"), storesChannelsApart: false });
