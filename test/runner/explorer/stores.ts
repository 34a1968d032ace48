import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import type { Stores } from "./begin.ts";

/**
 * A store in memory for each thread.
 * @param disturb makes of a store what the two clients have, such as one with a fault
 */
export function memoryStores(disturb?: (store: Checkpointer) => Checkpointer): Stores {
  return {
    needTime: false,
    beginnings: new Map(),
    ...(disturb === undefined ? {} : { undisturbed: memoryStores() }),
    open: async () => {
      const store = await openCheckpointer("memory:");
      const disturbed = disturb === undefined ? store : disturb(store);
      return { threadId: "t", storeOf: (driver) => (driver === "A" || driver === "B" ? disturbed : store) };
    },
  };
}

let threads = 0;

/**
 * One store that all threads share, as it is open in each client's process and in that of a third one. What may come of
 * a scenario is found out in memory.
 */
export function sharedStores(one: Checkpointer, other: Checkpointer, third: Checkpointer): Stores {
  return {
    needTime: true,
    undisturbed: memoryStores(),
    open: async () => {
      threads += 1;
      return {
        threadId: `thread ${threads}`,
        storeOf: (driver) => (driver === "A" ? one : driver === "B" ? other : third),
      };
    },
  };
}
