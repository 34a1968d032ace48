import { collectGarbage } from "./collect-garbage.ts";

/**
 * The time a piece of work takes on the clock, in milliseconds: for work that is done in other
 * processes too, such as a database server. What others do on the machine counts along.
 * @param work what is measured; what it needs is prepared before
 */
export async function elapsedTimeOf(work: () => Promise<void>): Promise<number> {
  collectGarbage();
  const before = performance.now();
  await work();
  return performance.now() - before;
}
