import { isGraphBubbleUp } from "@langchain/langgraph";
import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen, isBrokenCircuitError } from "cockatiel";
import { z } from "zod";
import { PerdureError } from "../errors/index.ts";

/** When a node is not tried any more for a while. */
export interface BreakerOptions {
  /** After how many failures in a row. @default 5 */
  readonly failures?: number;
  /** For how long; then one run is let through, and its outcome decides for the others. @default 60_000 */
  readonly openMs?: number;
}

export const BreakerSchema = z.object({
  failures: z.int().min(1).default(5),
  openMs: z.number().min(1).default(60_000),
});

/** Runs work unless too much of it failed of late. */
export type Breaker = <T>(work: () => Promise<T>, signal: AbortSignal | undefined, what: string) => Promise<T>;

/**
 * A circuit breaker, of this process alone. Leaving the node (an interrupt, a Command to the parent) and being
 * cancelled are no failures; a probe that is cancelled has shown nothing and leaves the circuit open.
 */
export function createBreaker({ failures, openMs }: z.output<typeof BreakerSchema>): Breaker {
  const policy = circuitBreaker(
    handleWhen((error) => {
      if (error instanceof Cancelled) return policy.state === CircuitState.HalfOpen;
      return !isGraphBubbleUp(error);
    }),
    { halfOpenAfter: openMs, breaker: new ConsecutiveBreaker(failures) },
  );
  let lastFailure: unknown;
  let openedAt = 0;
  policy.onBreak(() => {
    openedAt = Date.now();
  });
  return async (work, signal, what) => {
    let entered = false;
    try {
      return await policy.execute(async () => {
        entered = true;
        try {
          return await work();
        } catch (error) {
          if (isGraphBubbleUp(error)) throw error;
          if (signal?.aborted === true) throw new Cancelled(error);
          lastFailure = error;
          throw error;
        }
      });
    } catch (error) {
      if (error instanceof Cancelled) throw error.reason;
      if (entered || !isBrokenCircuitError(error)) throw error;
      throw new PerdureError(
        "CIRCUIT_OPEN",
        `${what} failed ${failures} times in a row and is not tried until ${new Date(openedAt + openMs).toISOString()}.`,
        { hint: "See why it fails. After that time one run is let through.", cause: lastFailure },
      );
    }
  };
}

/** What came of work whose run was cancelled. */
class Cancelled extends Error {
  readonly reason: unknown;

  constructor(reason: unknown) {
    super("cancelled");
    this.reason = reason;
  }
}
