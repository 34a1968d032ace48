/** Goes on over all schedules of a process: LangGraph's ids are times, and the greatest is the newest. */
let now = Date.now();

/** A clock that stands still between two looks at it, and moves on by a millisecond with each. */
class ScheduledDate extends Date {
  constructor(...given: unknown[]) {
    super(...((given.length === 0 ? [(now += 1)] : given) as [number]));
  }

  static override now(): number {
    return (now += 1);
  }
}

/**
 * Does the work by a clock that moves on only when somebody looks at it. So no two moments are the same one, and
 * nothing depends on how fast the machine is: a drive that began in the millisecond in which the head was made would wait.
 * @param options.noWaiting whether timers are over at once, for stores that need none
 */
export async function withScheduledClock<T>(
  { noWaiting }: { readonly noWaiting: boolean },
  work: () => Promise<T>,
): Promise<T> {
  const { Date: RealDate, setTimeout: realSetTimeout } = globalThis;
  now = Math.max(now, RealDate.now());
  globalThis.Date = ScheduledDate as DateConstructor;
  if (noWaiting) globalThis.setTimeout = ((over: () => void) => setImmediate(over)) as unknown as typeof setTimeout;
  try {
    return await work();
  } finally {
    globalThis.Date = RealDate;
    globalThis.setTimeout = realSetTimeout;
  }
}
