import { PGlite } from "@electric-sql/pglite";
import { openCheckpointer } from "perdure/checkpoint";
import type { Checkpointer } from "perdure/checkpoint";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { freshDatabase } from "../../support/fresh-database.ts";
import type { FreshDatabase } from "../../support/fresh-database.ts";
import { toText } from "./describe-exploration.ts";
import type { Rules } from "./describe-exploration.ts";
import { explore } from "./explore.ts";
import { rerun } from "./rerun.ts";
import type { Rerun } from "./rerun.ts";
import type { Scenario } from "./scenario.ts";
import { memoryStores, sharedStores } from "./stores.ts";

/** Schedules that are explored in memory, and how many of each scenario are run again. */
export interface Reruns {
  readonly name: string;
  readonly rules: Rules;
  readonly scenarios: readonly Scenario[];
  readonly most: number;
}

/**
 * Runs schedules that were explored in memory on PGlite and on a Postgres server, each client with a connection of
 * its own. The same choices have to be there at each step, and it has to come to the same end.
 */
export function describeReruns(groups: readonly Reruns[]): void {
  const cases = groups.flatMap(({ name, rules, scenarios, most }) =>
    scenarios.map((scenario) => ({ name, rules, scenario, some: once(scenario, rules, most) })),
  );
  describe.each([
    { kind: "PGlite", skip: false },
    { kind: "Postgres", skip: inject("postgresUrl") === "" },
  ])("on $kind", ({ kind, skip }) => {
    let database: PGlite | FreshDatabase;
    let opened: readonly [Checkpointer, Checkpointer, Checkpointer];
    let schedules = 0;

    beforeAll(async () => {
      if (skip) return;
      database = kind === "PGlite" ? await PGlite.create("memory://") : await freshDatabase();
      const open = () => openCheckpointer(database instanceof PGlite ? database : database.url);
      opened = [await open(), await open(), await open()];
    });
    afterAll(async () => {
      if (skip) return;
      for (const checkpointer of opened) await checkpointer.close();
      await (database instanceof PGlite ? database.close() : database.drop());
      console.log(`On ${kind}: ${schedules} schedules, which go as in memory.`);
    });

    test.skipIf(skip).each(cases)(
      "$scenario.name, $name: schedules go as in memory, and break no invariant",
      { timeout: 1_800_000 },
      async ({ rules, scenario, some }) => {
        const expected = await some();
        const asked = expected.map(({ taken }) => taken);
        const { reruns, violations } = await rerun(scenario, { ...rules, stores: sharedStores(...opened) }, asked);
        expect(violations.map(toText)).toEqual([]);
        expect(reruns).toEqual(expected);
        schedules += reruns.length;
      },
    );
  });
}

/** Explores a scenario in memory when it is asked for the first time; gives some schedules, from all parts of it. */
function once(scenario: Scenario, rules: Rules, most: number): () => Promise<readonly Rerun[]> {
  let some: Promise<readonly Rerun[]> | undefined;
  const run = async (): Promise<readonly Rerun[]> => {
    const world = { ...rules, stores: memoryStores() };
    const { schedules } = await explore(scenario, world);
    return (await rerun(scenario, world, spread(schedules, most))).reruns;
  };
  return () => (some ??= run());
}

/** So many of the items, from all parts of the list. */
function spread<T>(items: readonly T[], most: number): T[] {
  const step = Math.max(1, items.length / most);
  return Array.from({ length: Math.min(most, items.length) }, (_, index) => items[Math.floor(index * step)] as T);
}
