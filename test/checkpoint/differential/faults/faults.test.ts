import { PGlite } from "@electric-sql/pglite";
import { describe, expect, it } from "vitest";
import { runGraphsAgainstMemorySaver } from "../graphs/graph-run.ts";
import { goOnWhenMadeAgain } from "../made-again.ts";
import { runAgainstMemorySaver } from "../saver-run.ts";
import type { FaultName } from "./faults.ts";
import { faultyBackend } from "./faulty-backend.ts";
import { SOURCE_FAULTS, patchedSource } from "./patched-source.ts";

// A seed of its own: whether a fault is found so soon is a matter of the seed. The soak finds all of FAULTS with others.
const seed = 11;
const saverOperations = Array.from({ length: 500 }, (_, index) => index);
const graphOperations = Array.from({ length: 150 }, (_, index) => index);

describe("the test of the test: a saver with a fault is told from one without", () => {
  it("a saver without a fault shows no difference in the same operations", async () => {
    const options = { seed, operations: saverOperations };
    expect(await runAgainstMemorySaver(faultyBackend("none"), options)).toMatchObject({ difference: undefined });
    const onGraphs = await runGraphsAgainstMemorySaver(faultyBackend("none"), { seed, operations: graphOperations });
    expect(onGraphs).toMatchObject({ difference: undefined });
  });

  // The soak runs them; here only the source is compared with what they replace.
  it.each(Object.entries(SOURCE_FAULTS))("%s can be made in a copy of the source", async (_name, patches) => {
    const { checkpoint, remove } = await patchedSource(patches);
    await remove();
    expect(checkpoint.openCheckpointer).toBeTypeOf("function");
  });

  it("staleCache in the source, by a thread that somebody else deleted and made again", async () => {
    const { checkpoint, remove } = await patchedSource(SOURCE_FAULTS["staleCache"]!);
    const database = await PGlite.create("memory://");
    const [one, other] = [await checkpoint.openCheckpointer(database), await checkpoint.openCheckpointer(database)];
    await expect(goOnWhenMadeAgain(one, other)).rejects.toMatchObject({ code: "CHECKPOINT_DAMAGED" });
    await database.close();
    await remove();
  });

  const inFewOperations: FaultName[] = [
    "forkCollision",
    "lostTail",
    "staleCache",
    "mixedResults",
    "emptyAsAbsent",
    "lostEdit",
  ];
  it.each(inFewOperations)("%s, within 500 operations on the saver", async (fault) => {
    const { difference } = await runAgainstMemorySaver(faultyBackend(fault), { seed, operations: saverOperations });
    expect(difference).toBeDefined();
  });

  const withGraphs: FaultName[] = ["forkCollision", "lostTail", "staleCache", "missedMutation"];
  it.each(withGraphs)("%s, within 150 operations on graphs", async (fault) => {
    const { difference } = await runGraphsAgainstMemorySaver(faultyBackend(fault), {
      seed,
      operations: graphOperations,
    });
    expect(difference).toBeDefined();
  });
});
