import type { Checkpointer } from "../../checkpoint/index.ts";
import { PerdureError } from "../../errors/index.ts";
import type { RunResult } from "../shared/protocol.ts";
import type { WireCodec } from "../shared/wire-codec.ts";

/**
 * The final values of a run, from its result or from the checkpointer.
 * @throws RUN_RELEASED, OPTIONS_INVALID where a checkpointer is needed, CHECKPOINT_NOT_FOUND
 */
export async function readResult(
  id: string,
  result: RunResult,
  codec: WireCodec,
  checkpointer: Checkpointer | undefined,
): Promise<unknown> {
  if ("values" in result) return codec.decode(result.values);
  if ("released" in result) {
    throw new PerdureError("RUN_RELEASED", `Run "${id}" gave its thread back before it was done.`, {
      hint: "Whoever drives the thread now has its values.",
    });
  }
  const { checkpointId, channels } = result.stored;
  if (checkpointer === undefined) {
    throw new PerdureError("OPTIONS_INVALID", `The values of run "${id}" are too large for Temporal's history.`, {
      hint: "Pass the workers' checkpointer to createTemporalExecutor.",
    });
  }
  const tuple = await checkpointer.getTuple({
    configurable: { thread_id: id, checkpoint_ns: "", checkpoint_id: checkpointId },
  });
  if (tuple === undefined) {
    throw new PerdureError("CHECKPOINT_NOT_FOUND", `Thread "${id}" has no checkpoint "${checkpointId}".`, {
      hint: "Is it the workers' checkpointer, and was it pruned?",
    });
  }
  const stored = tuple.checkpoint.channel_values;
  return Object.fromEntries(channels.map((name) => [name, stored[name]]));
}
