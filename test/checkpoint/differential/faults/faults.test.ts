import { describe, expect, it } from "vitest";
import { FAULTS } from "./faults.ts";
import type { FaultName } from "./faults.ts";
import { faultyBackend } from "./faulty-backend.ts";
import { runAgainstMemorySaver } from "../saver-run.ts";

describe("x", () => {
  for (const fault of Object.keys(FAULTS) as FaultName[]) {
    it(fault, async () => {
      const found: number[] = [];
      for (let seed = 1; seed <= 10; seed += 1) {
        const operations = Array.from({ length: 1000 }, (_, index) => index);
        const r = await runAgainstMemorySaver(faultyBackend(fault), { seed, operations, without: ["onItself"] });
        found.push(r.difference ? r.done : -1);
        if (process.env.SHOW && seed === 1)
          console.log(
            fault,
            r.difference?.path,
            r.difference?.operation.kind,
            r.difference?.ours,
            r.difference?.reference,
          );
      }
      console.log(fault, found.join(" "));
    });
  }
});
