import { median, medianRatio, ratios } from "../median.ts";
import { table } from "../table.ts";
import { STEPS } from "./case-file.ts";
import { BARS, isMissed, mean, ratiosOf } from "./comparison.ts";
import type { Findings, Ratios, SideName } from "./comparison.ts";

const SIDES: readonly SideName[] = ["handWritten", "memory", "postgres", "burst", "localBurst"];

/** Tables of what was measured, line by line. */
export function report(findings: Findings): string[] {
  return [...sidesTable(findings), "", ...ratiosTable(findings)];
}

function sidesTable({ sizes, throughput, parked, bundles }: Findings): string[] {
  const steps = sizes.atOnce * STEPS.length;
  const of = (show: (side: SideName) => string): string[] => SIDES.map(show);
  const kilobytes = (bytes: number): string => (bytes / 1_024).toFixed(1);
  const parkedRow = (label: string, bytes: Findings["parked"]["heapBytes"]): string[] => [
    label,
    ...of((side) => (side === "handWritten" || side === "postgres" ? kilobytes(mean(bytes[side])) : "")),
  ];
  return table([
    ["", "by hand", "memory:", "Postgres", "Postgres, bursts", "local start"],
    [
      `steps/s, ${sizes.atOnce} runs at once`,
      ...of((side) => ((steps * 1_000) / median(throughput.elapsedMs[side])).toFixed(0)),
    ],
    ["CPU of the worker, ms a step", ...of((side) => (median(throughput.cpuMs[side]) / steps).toFixed(2))],
    ["bundle, KB", ...of((side) => kilobytes(bundles[side === "handWritten" ? side : "graphs"].bytes))],
    parkedRow("JavaScript heap of a parked run, KB", parked.heapBytes),
    parkedRow("in the thread of workflows, KB", parked.workflowHeapBytes),
    parkedRow("resident, KB", parked.residentBytes),
  ]);
}

function ratiosTable(findings: Findings): string[] {
  const found = ratiosOf(findings);
  const { cpuMs, elapsedMs } = findings.throughput;
  const { heapBytes } = findings.parked;
  const spread = (label: string, ratio: number, rounds: readonly number[]): string[] => [
    label,
    ratio.toFixed(2),
    Math.min(...rounds).toFixed(2),
    Math.max(...rounds).toFixed(2),
  ];
  const row = (label: string, name: keyof Ratios, rounds: readonly number[]): string[] => [
    ...spread(label, found[name], rounds),
    findings.sizes.full ? `${BARS[name]}${isMissed(name, found[name]) ? " !" : ""}` : "",
  ];
  const inActivities = spread(
    "steps/s in bursts",
    medianRatio(elapsedMs.handWritten, elapsedMs.burst),
    ratios(elapsedMs.handWritten, elapsedMs.burst),
  );
  return table([
    ["Ours to what is written by hand", "ratio", "lowest", "highest", "bar"],
    row("CPU a step, memory:, at most", "cpuMemory", ratios(cpuMs.memory, cpuMs.handWritten)),
    row("CPU a step, Postgres, at most", "cpuPostgres", ratios(cpuMs.postgres, cpuMs.handWritten)),
    [...inActivities, ""],
    row("steps/s in bursts begun locally, at least", "burst", ratios(elapsedMs.handWritten, elapsedMs.localBurst)),
    row("memory of a parked run, at most", "parked", ratios(heapBytes.postgres, heapBytes.handWritten)),
  ]);
}
