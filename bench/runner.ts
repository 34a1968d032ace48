import { MemorySaver } from "@langchain/langgraph-checkpoint";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { openCheckpointer } from "perdure/checkpoint";
import { createRunner } from "perdure/runner";
import type { Benchmark } from "./benchmark.ts";
import { interleave } from "./interleave.ts";
import type { Run, Side } from "./interleave.ts";
import { median, medianRatio, ratios } from "./median.ts";
import { fanOut, loop, messages } from "./runner-cases.ts";
import type { RunnerCase } from "./runner-cases.ts";

const THREAD = "bench";

/** What the runner may cost, as a multiple of LangGraph alone. */
const BAR = 1.25;

/**
 * What driving a graph with a runner costs on top of LangGraph: CPU of `runner.start` over
 * `openCheckpointer("memory:")` ÷ CPU of `graph.invoke` over LangGraph's MemorySaver. `graph.invoke` over
 * our checkpointer is measured beside them and tells the runner's part from the checkpointer's.
 */
export const runnerBenchmark: Benchmark = {
  async measure({ rounds = 5, scale, print }) {
    const size = (full: number): number => Math.max(2, Math.round(full * scale));
    const cases = { loop: loop(size(1_000)), fanout: fanOut(size(1_000)), messages: messages(size(500)) };
    const found: Record<string, number> = {};
    print(`CPU per superstep in µs, medians of ${rounds} rounds; the bar is ${BAR}`);
    print(row("", "LangGraph", "+ our saver", "runner", "ratio", "lowest", "highest"));
    for (const [name, runnerCase] of Object.entries(cases)) {
      const times = await interleave(sidesOf(runnerCase), { rounds });
      const perStep = (all: readonly number[]): string => ((median(all) * 1_000) / runnerCase.supersteps).toFixed(0);
      const each = ratios(times.runner, times.plain);
      found[name] = rounded(medianRatio(times.runner, times.plain));
      print(
        row(
          runnerCase.about,
          perStep(times.plain),
          perStep(times.ourSaver),
          perStep(times.runner),
          found[name].toFixed(2) + (found[name] > BAR ? " !" : ""),
          Math.min(...each).toFixed(2),
          Math.max(...each).toFixed(2),
        ),
      );
    }
    return { ratios: found };
  },
};

function sidesOf(runnerCase: RunnerCase): Side<"plain" | "ourSaver" | "runner">[] {
  return [
    { name: "plain", prepare: async () => invoke(runnerCase, new MemorySaver()) },
    { name: "ourSaver", prepare: async () => invoke(runnerCase, await openCheckpointer("memory:")) },
    { name: "runner", prepare: () => start(runnerCase) },
  ];
}

function invoke(runnerCase: RunnerCase, checkpointer: BaseCheckpointSaver): Run {
  const graph = runnerCase.compile(checkpointer);
  return {
    run: async () => {
      const values = await graph.invoke(runnerCase.input as never, {
        configurable: { thread_id: THREAD },
        durability: "sync",
        recursionLimit: 1_000_000,
      });
      assertComplete(runnerCase, values);
    },
  };
}

async function start(runnerCase: RunnerCase): Promise<Run> {
  const checkpointer = await openCheckpointer("memory:");
  const runner = createRunner(runnerCase.compile(), { name: "bench", checkpointer });
  return {
    run: async () => {
      const { values } = await runner.start(THREAD, runnerCase.input);
      assertComplete(runnerCase, values);
    },
  };
}

/** A side that did not do the work must not look fast. */
function assertComplete(runnerCase: RunnerCase, values: unknown): void {
  if (!runnerCase.isComplete(values)) throw new Error(`${runnerCase.about} ended with ${JSON.stringify(values)}.`);
}

function row(name: string, ...columns: readonly string[]): string {
  return [name.padEnd(24), ...columns.map((column) => column.padStart(12))].join("");
}

function rounded(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
