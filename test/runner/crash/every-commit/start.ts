import { isPerdureError } from "perdure/errors";
import type { Move } from "./scenario.ts";

/** Starts the thread, also for a client that did and does not know it: then the input is in, and it goes on from there. */
export const start: Move = async ({ runner, threadId }) => {
  try {
    return await runner.start(threadId, { log: ["began"] });
  } catch (error) {
    if (!isPerdureError(error, "THREAD_UNFINISHED") && !isPerdureError(error, "THREAD_INTERRUPTED")) throw error;
    return runner.continue(threadId);
  }
};
