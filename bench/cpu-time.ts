import { collectGarbage } from "./collect-garbage.ts";

/**
 * The CPU time a piece of work takes, in milliseconds: of the whole process, so the threads that
 * collect its garbage and compile its code count too. What others do on the machine does not.
 * @param work what is measured; what it needs is prepared before
 */
export async function cpuTimeOf(work: () => Promise<void>): Promise<number> {
  collectGarbage();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
