import { openInterruptsOf } from "../../checkpoint/index.ts";
import type { Checkpointer } from "../../checkpoint/index.ts";
import type { RunState } from "../../executor/index.ts";
import type { WireState } from "../shared/protocol.ts";
import type { WireCodec } from "../shared/wire-codec.ts";

/** What the query says, with questions as they were asked: one too large for the history is read from the checkpointer. */
export async function runState(
  id: string,
  { status, interrupts, ...state }: WireState,
  codec: WireCodec,
  checkpointer: Checkpointer | undefined,
): Promise<RunState> {
  const shown = [];
  let stored: ReadonlyMap<string, unknown> | undefined;
  for (const interrupt of interrupts) {
    if (!("value" in interrupt)) stored ??= await storedQuestions(id, checkpointer);
    const value = "value" in interrupt ? await codec.decode(interrupt.value) : stored?.get(interrupt.id);
    shown.push({ ...interrupt, value });
  }
  return {
    id,
    ...state,
    status: status === "ready" ? "running" : status,
    interrupts: shown as unknown as RunState["interrupts"],
  };
}

async function storedQuestions(
  id: string,
  checkpointer: Checkpointer | undefined,
): Promise<ReadonlyMap<string, unknown>> {
  if (checkpointer === undefined) return new Map();
  const open = openInterruptsOf(id, await checkpointer.newestBelow(id, [""]));
  return new Map(open.map((interrupt) => [interrupt.id, interrupt.value]));
}
