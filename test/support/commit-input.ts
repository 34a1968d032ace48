import type { Checkpointer } from "perdure/checkpoint";
import { vi } from "vitest";

interface Startable<Input, State> {
  start(threadId: string, input: Input, options: { readonly signal: AbortSignal }): Promise<State>;
  inspect(threadId: string): Promise<State>;
}

/**
 * Begins a turn and stops before its first task runs, as if the process died right after the input was
 * committed. For graphs with a state, on a checkpointer that nobody else uses meanwhile.
 */
export async function commitInput<Input, State>(
  runner: Startable<Input, State>,
  checkpointer: Checkpointer,
  threadId: string,
  input: Input,
): Promise<State> {
  const stop = new AbortController();
  const enough = new Error("The input is committed.");
  const put = checkpointer.put.bind(checkpointer);
  const spy = vi.spyOn(checkpointer, "put").mockImplementation(async (config, checkpoint, metadata, versions) => {
    const stored = await put(config, checkpoint, metadata, versions);
    if (metadata.source === "loop") stop.abort(enough);
    return stored;
  });
  try {
    await runner.start(threadId, input, { signal: stop.signal });
  } catch (error) {
    if (error !== enough) throw error;
  } finally {
    spy.mockRestore();
  }
  return runner.inspect(threadId);
}
