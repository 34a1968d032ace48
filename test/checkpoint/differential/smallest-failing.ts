/**
 * Leaves out of a failing sequence what it fails without, ever smaller parts of it (delta debugging, by Zeller and
 * Hildebrandt), for as long as there is time.
 */
export async function smallestFailing<T>(
  failing: readonly T[],
  fails: (items: readonly T[]) => Promise<boolean>,
  timeMs: number,
): Promise<readonly T[]> {
  const end = performance.now() + timeMs;
  let items = failing;
  for (let size = Math.ceil(items.length / 2); size >= 1; size = Math.floor(size / 2)) {
    // What comes last shows the difference; so most can be left out in front of it.
    for (let from = 0; from < items.length && performance.now() < end;) {
      const rest = items.toSpliced(from, size);
      if (rest.length > 0 && (await fails(rest))) items = rest;
      else from += size;
    }
  }
  return items;
}
