import type { Found } from "./explore.ts";
import { judgeEnd, references } from "./judge-end.ts";
import type { Scenario } from "./scenario.ts";
import { Schedule } from "./schedule.ts";
import type { World } from "./schedule.ts";
import { withScheduledClock } from "./scheduled-clock.ts";

/** How a schedule went that was run again. */
export interface Rerun {
  /** The labels of its choices: those that were asked for, and then the first one each time, until the end. */
  readonly taken: readonly string[];
  /** How the clients' calls and the thread ended. */
  readonly outcome: string;
}

/** Runs schedules again, perhaps on other stores, all of them to the end. */
export async function rerun(
  scenario: Scenario,
  world: World,
  schedules: readonly (readonly string[])[],
): Promise<{ readonly reruns: readonly Rerun[]; readonly violations: readonly Found[] }> {
  const reruns: Rerun[] = [];
  const violations: Found[] = [];
  await withScheduledClock({ noWaiting: !world.stores.needTime }, async () => {
    const expected = await references(scenario, world.stores);
    for (const labels of schedules) {
      const schedule = await Schedule.open(scenario, world);
      for (const label of labels) await schedule.take(label);
      for (let next = schedule.choices()[0]; next !== undefined; next = schedule.choices()[0]) {
        await schedule.take(next.label);
      }
      const outcome = await judgeEnd(schedule, scenario, expected);
      reruns.push({ taken: [...schedule.taken], outcome });
      for (const violation of schedule.table.account.violations) {
        violations.push({ ...violation, schedule: schedule.taken });
      }
      await schedule.close();
    }
  });
  return { reruns, violations };
}
