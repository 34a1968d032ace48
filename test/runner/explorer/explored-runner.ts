import { createRunner } from "perdure/runner";
import type { DrivableGraph } from "perdure/runner";
import type { NodeLedger } from "./account.ts";
import type { LogRunner, Scenario } from "./scenario.ts";
import { schedulingCheckpointer } from "./scheduling-checkpointer.ts";
import type { DriverName, Table } from "./seats.ts";
import type { Seat } from "./scheduling-checkpointer.ts";

interface CompiledOnce {
  readonly graph: DrivableGraph;
  ledger: NodeLedger;
}

/** Graphs by scenario and driver: compiling one takes longer than a schedule does. */
const COMPILED = new WeakMap<Scenario, Map<DriverName, CompiledOnce>>();

/** A runner for a driver of a scenario, whose nodes write into the ledger of this schedule. */
export function runnerOn(scenario: Scenario, seat: Seat & { readonly driver: DriverName }, table: Table): LogRunner {
  const compiled = compiledFor(scenario, seat.driver);
  compiled.ledger = table.account.ledgerOf(seat.driver);
  return createRunner(compiled.graph, {
    name: seat.driver,
    checkpointer: schedulingCheckpointer(table.storeOf(seat.driver), seat),
    now: () => 0,
  }) as unknown as LogRunner;
}

function compiledFor(scenario: Scenario, driver: DriverName): CompiledOnce {
  const compiled = COMPILED.get(scenario) ?? new Map<DriverName, CompiledOnce>();
  COMPILED.set(scenario, compiled);
  let found = compiled.get(driver);
  if (found === undefined) {
    const ledger = (): NodeLedger => {
      if (found === undefined) throw new Error("A node runs while its graph is made.");
      return found.ledger;
    };
    const graph = scenario.graph({
      began: (node, config) => ledger().began(node, config),
      answered: (index, answer, config) => ledger().answered(index, answer, config),
    });
    found = { graph, ledger: { began: () => {}, answered: () => {} } };
    compiled.set(driver, found);
  }
  return found;
}
