import { describe } from "vitest";
import type { Checkpointer } from "perdure/checkpoint";
import { describeLangGraphConformance } from "./langgraph.ts";

/** Opens a checkpointer with nothing in it. */
export type OpenFresh = () => Promise<Checkpointer>;

/** What {@link describeCheckpointer} must know of a backend. */
export interface Backend {
  readonly open: OpenFresh;
  readonly storesChannelsApart: boolean;
}

export function describeCheckpointer(name: string, backend: Backend): void {
  describe(name, () => {
    describeLangGraphConformance(backend.open, backend.storesChannelsApart);
  });
}
