import type { Move } from "./scenario.ts";

/** Starts the thread, also for a client that did and does not know it: then the input is in, and it goes on from there. */
export const start: Move = ({ runner, threadId }) =>
  runner.start(threadId, { log: ["began"] }, { runId: `${threadId}, turn 1` });
