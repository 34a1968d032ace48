import { openCheckpointer } from "perdure/checkpoint";
import { localActor } from "../actor.ts";
import type { DifferentialBackend } from "../stores.ts";
import type { FaultName } from "./faults.ts";
import { withFault } from "./with-fault.ts";

/** Two instances of a saver with a fault, on one store that is right. */
export function faultyBackend(fault: FaultName): DifferentialBackend {
  return {
    name: fault,
    wholeResults: "guarded",
    async fresh() {
      const checkpointer = await openCheckpointer("memory:");
      const store = new Map<string, unknown>();
      const open = async () => withFault(checkpointer, fault, store);
      const actors = [await localActor(open), await localActor(open)];
      return { actors, remove: () => checkpointer.close() };
    },
  };
}
