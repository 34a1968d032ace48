/** What is remembered of a list's items: an item itself, or of an object the mark it had when it was serialized. */
export type ItemMarks = readonly unknown[];

/** How deep in what a node returned items are looked for: `{ op: "set", items: [item] }` and the like. */
const DEPTH = 3;

/**
 * Remembers objects that are items of stored lists, to tell without looking into them that a list still begins
 * with the same items. An object gets a mark when it is serialized, and loses it when a node returns it: what is
 * changed in place and then returned is stored again. What is changed in place and never returned is not
 * noticed, as LangGraph asks that state is not changed in place.
 */
export class KnownItems {
  /** A mark says nothing of where the item is stored: it may be in many lists and threads. */
  readonly #marks = new WeakMap<object, object>();

  /** A node returned this value: it, or items in it, may have been changed in place. */
  returned(value: unknown, depth = DEPTH): void {
    if (!isObject(value)) return;
    this.#marks.delete(value);
    if (depth === 0 || ArrayBuffer.isView(value)) return;
    const inside = value instanceof Map || value instanceof Set ? value.values() : Object.values(value);
    for (const item of inside) this.returned(item, depth - 1);
  }

  /** How many items at the start of `items` are those of the list that `marks` remembers. */
  common(marks: ItemMarks, items: readonly unknown[]): number {
    const most = Math.min(marks.length, items.length);
    for (let index = 0; index < most; index += 1) {
      const item = items[index];
      if (!Object.is(marks[index], isObject(item) ? (this.#marks.get(item) ?? item) : item)) return index;
    }
    return most;
  }

  /** These items are serialized as they are now. @returns what {@link common} needs once they are stored */
  taken(items: readonly unknown[]): unknown[] {
    return Array.from(items, (item) => (isObject(item) ? this.#markOf(item) : item));
  }

  #markOf(item: object): object {
    let mark = this.#marks.get(item);
    if (mark === undefined) this.#marks.set(item, (mark = {}));
    return mark;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
