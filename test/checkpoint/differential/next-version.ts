/** Versions as perdure's savers count them, for whoever has none of them at hand: whole numbers and a fraction. */
export function nextChannelVersion(current: number | undefined): number {
  return Math.floor(current ?? 0) + 1 + Math.random();
}
