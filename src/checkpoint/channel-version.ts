/**
 * The version that follows `current`: the next whole number plus a random fraction. LangGraph counts
 * 1, 2, 3, so two branches forked from one checkpoint give different values the same version, and a
 * saver that stores a channel once per version keeps only the first (H9). With the fraction, versions
 * still grow, and two branches get the same one with a chance of 1 in 2^32 after a million versions.
 */
export function nextChannelVersion(current: number | undefined): number {
  return (current === undefined ? 0 : Math.floor(current)) + 1 + Math.random();
}
