/** When a checkpoint was made, by its id, a UUID of version 6: the count of 100 ns since 15 October 1582. */
export function timeOfCheckpoint(id: string): string | undefined {
  const [high = "", mid = "", low = ""] = id.split("-");
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-6[0-9a-f]{3}-/u.test(id)) return undefined;
  const ticks = BigInt(`0x${high}${mid}${low.slice(1)}`);
  return new Date(Number(ticks / 10_000n - 12_219_292_800_000n)).toISOString();
}
