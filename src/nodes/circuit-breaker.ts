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
  const cancelled = new WeakSet<object>();
  const policy = circuitBreaker(
    handleWhen((error) => {
      if (isGraphBubbleUp(error)) return false;
      return !cancelled.has(error) || policy.state === CircuitState.HalfOpen;
    }),
    { halfOpenAfter: openMs, breaker: new ConsecutiveBreaker(failures) },
  );
  return async (work, signal, what) => {
    let entered = false;
    try {
      return await policy.execute(async () => {
        signal?.throwIfAborted();
        entered = true;
        try {
          return await work();
        } catch (error) {
          if (signal?.aborted === true && typeof error === "object" && error !== null) cancelled.add(error);
          throw error;
        }
      });
    } catch (error) {
      if (entered || !isBrokenCircuitError(error)) throw error;
      throw new PerdureError(
        "CIRCUIT_OPEN",
        `${what} failed ${failures} times in a row and is not tried for ${openMs} ms.`,
        {
          hint: "Wait, or see why it fails; one run is let through after that time.",
          cause: policy.lastFailure !== undefined && "error" in policy.lastFailure ? policy.lastFailure.error : error,
        },
      );
    }
  };
}
