import { openCheckpointer } from "perdure/checkpoint";
import { describeCheckpointer } from "./conformance/describe-checkpointer.ts";

describeCheckpointer("sqlite:", { open: () => openCheckpointer("sqlite::memory:"), storesChannelsApart: true });
