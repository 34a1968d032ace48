/** Where two values differ first, and what is there. */
export interface Difference {
  readonly path: string;
  readonly ours: unknown;
  readonly reference: unknown;
}

/** What stands for nothing in a {@link Difference}, so that it is not taken for an undefined value. */
const NOTHING = "(nothing)";

/**
 * Compares two values as they come out of a saver: also their classes, undefined properties, the order of
 * the items of Maps and Sets, and bytes. Only the order of an object's keys does not count.
 */
export function firstDifference(ours: unknown, reference: unknown, path = ""): Difference | undefined {
  if (Object.is(ours, reference)) return undefined;
  const different = { path, ours, reference };
  if (typeof ours !== "object" || typeof reference !== "object" || ours === null || reference === null) {
    return different;
  }
  if (Object.getPrototypeOf(ours) !== Object.getPrototypeOf(reference)) return different;
  if (ours instanceof Uint8Array) return Buffer.compare(ours, reference as Uint8Array) === 0 ? undefined : different;
  if (ours instanceof Date || ours instanceof RegExp) return String(ours) === String(reference) ? undefined : different;
  if (ours instanceof Map || ours instanceof Set)
    return firstDifference([...ours], [...(reference as Set<unknown>)], path);
  if (ours instanceof Error) {
    const text = (error: Error): string[] => [error.name, error.message];
    return firstDifference(text(ours), text(reference as Error), path);
  }
  const [left, right] = [ours as Record<string, unknown>, reference as Record<string, unknown>];
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const at = Array.isArray(ours) ? `${path}[${key}]` : `${path}.${key}`;
    if (!Object.hasOwn(left, key)) return { path: at, ours: NOTHING, reference: right[key] };
    if (!Object.hasOwn(right, key)) return { path: at, ours: left[key], reference: NOTHING };
    const found = firstDifference(left[key], right[key], at);
    if (found !== undefined) return found;
  }
  return undefined;
}
