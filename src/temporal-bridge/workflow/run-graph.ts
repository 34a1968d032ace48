import { defineQuery, defineSignal, defineUpdate, setHandler } from "@temporalio/workflow";
import { HANDLER } from "../shared/names.ts";
import type { RunGraphArgs, RunResult, SignalArgs, WireState } from "../shared/protocol.ts";
import { GraphRun } from "./graph-run.ts";

/**
 * The workflow that drives any graph. It holds no code of the graph and none of its state: activities do the work on
 * the thread, and what they report says what is to be done next.
 */
export function runGraph(args: RunGraphArgs): Promise<RunResult> {
  const run = new GraphRun(args);
  setHandler(defineQuery<WireState>(HANDLER.state), () => run.state());
  setHandler(defineSignal<[SignalArgs]>(HANDLER.signal), (signal) => run.signal(signal));
  setHandler(defineUpdate<WireState, [unknown]>(HANDLER.resume), (answers) => run.resume(answers), {
    validator: (answers) => run.checkAnswers(answers),
  });
  setHandler(defineUpdate(HANDLER.release), () => run.release());
  return run.run();
}
