import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import { checkpointerOf, taskIdentity } from "./running-task.ts";

/**
 * Where a driver may say in `configurable` which checkpoint holds the turn's input, by its step, to
 * spare nodes the look into the checkpointer.
 */
export const INPUT_STEP_KEY = "__perdure_input_step";

/** What was looked up, by LangGraph's control of the call: one call never spans two turns. */
const known = new WeakMap<object, Promise<number>>();

/**
 * Which turn of its thread a node belongs to: the step of the checkpoint that holds the turn's input. A turn is one
 * new input; a resume, a continue after a crash and a `Command` given as input belong to the turn before.
 * What is counted per run is counted under this number. Without a checkpointer it is always -1.
 */
export function currentTurn(config: LangGraphRunnableConfig): Promise<number> {
  const configurable: Record<string, unknown> = config.configurable ?? {};
  const said = configurable[INPUT_STEP_KEY];
  if (typeof said === "number") return Promise.resolve(said);
  const { control } = config;
  if (control === undefined) return lookUp(config);
  let turn = known.get(control);
  if (turn === undefined) {
    known.set(control, (turn = lookUp(config)));
    turn.catch(() => known.delete(control));
  }
  return turn;
}

async function lookUp(config: LangGraphRunnableConfig): Promise<number> {
  const checkpointer = checkpointerOf(config);
  const { threadId } = taskIdentity(config);
  if (checkpointer === undefined || threadId === undefined) return -1;
  const root = { configurable: { thread_id: threadId, checkpoint_ns: "" } };
  for await (const { metadata } of checkpointer.list(root, { limit: 1, filter: { source: "input" } })) {
    return metadata?.step ?? -1;
  }
  return -1;
}
