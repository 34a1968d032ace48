import { medianRatio } from "../median.ts";
import type { WorkflowBundle } from "./bundles.ts";
import type { ParkedMemory } from "./parked-memory.ts";
import type { Sizes } from "./sizes.ts";
import type { Throughput } from "./throughput.ts";

/** The sides: by hand, ours at node granularity on two checkpointers, and ours in bursts on Postgres, without and with a local start. */
export type SideName = "handWritten" | "memory" | "postgres" | "burst" | "localBurst";

/** All that was measured. */
export interface Findings {
  readonly sizes: Sizes;
  readonly throughput: Throughput<SideName>;
  readonly parked: ParkedMemory<"handWritten" | "postgres">;
  readonly bundles: Readonly<Record<"handWritten" | "graphs", WorkflowBundle>>;
}

/** What `--json` prints. */
export type Ratios = Readonly<Record<"cpuMemory" | "cpuPostgres" | "burst" | "parked", number>>;

/**
 * What ours may cost at most as a multiple of what is written by hand; in bursts it does at least so many times the steps,
 * begun as the guide says for runs as short as these: locally.
 */
export const BARS: Ratios = { cpuMemory: 1.8, cpuPostgres: 2.5, burst: 3, parked: 1.1 };

/** Whether a ratio is on the wrong side of its bar. */
export function isMissed(name: keyof Ratios, ratio: number): boolean {
  return name === "burst" ? ratio < BARS.burst : ratio > BARS[name];
}

/**
 * The ratios of a measurement: medians of those within each round. Of memory, that of the heaps over all rounds: what
 * the system sees beside them is Temporal's own for both sides, and goes up and down by more than a parked run takes.
 */
export function ratiosOf({ throughput: { cpuMs, elapsedMs }, parked }: Findings): Ratios {
  return {
    cpuMemory: rounded(medianRatio(cpuMs.memory, cpuMs.handWritten)),
    cpuPostgres: rounded(medianRatio(cpuMs.postgres, cpuMs.handWritten)),
    burst: rounded(medianRatio(elapsedMs.handWritten, elapsedMs.localBurst)),
    parked: rounded(mean(parked.heapBytes.postgres) / mean(parked.heapBytes.handWritten)),
  };
}

/** What V8 puts off in one round comes in another. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
