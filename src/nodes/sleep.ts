import { z } from "zod";
import { parseOptions } from "../errors/index.ts";
import { Duration, ask, dueIn } from "./ask.ts";
import type { TimerQuestion } from "./question.ts";

/**
 * Waits for `ms` milliseconds, 0 or more, without a process: the thread stops at an interrupt of kind
 * `timer` and goes on when a runner finds it due. The time runs from the first call, however often the
 * node runs again.
 * @throws PerdureError `OPTIONS_INVALID`, `OUTSIDE_GRAPH`
 */
export async function sleep(ms: number): Promise<void> {
  parseOptions("sleep", z.object({ ms: Duration }), { ms });
  wait("sleep", await dueIn("sleep", ms));
}

/**
 * Waits until a point in time, without a process. A date that is past is due at once, but is asked for
 * all the same, so that the node's questions keep their order when it runs again later.
 * @throws PerdureError `OPTIONS_INVALID`, `OUTSIDE_GRAPH`
 */
export async function sleepUntil(date: Date): Promise<void> {
  parseOptions("sleepUntil", z.object({ date: z.date() }), { date });
  wait("sleepUntil", date.toISOString());
}

function wait(caller: string, dueAt: string): void {
  const question: TimerQuestion = { kind: "timer", dueAt };
  ask(caller, question, undefined, () => ({ ok: true, value: undefined }));
}
