import { lineageAt, lengthOf } from "./list-ref.ts";
import type { ListRef } from "./list-ref.ts";

/** Where an object that is an item of a list was stored. */
interface Place {
  readonly lineage: number;
  readonly index: number;
}

/** What is remembered of a stored list: its items that are no objects, by index; nothing where objects are. */
export type Primitives = readonly unknown[];

/**
 * Remembers which objects were stored as which items, to tell without looking into them that a list
 * still begins with the same items. An object counts as unchanged while it is the very same one and no
 * node returned it since: what is changed in place and then returned is stored again. What is changed in
 * place and never returned is not noticed, as LangGraph asks that state is not changed in place.
 */
export class KnownItems {
  readonly #places = new WeakMap<object, Place>();
  readonly #returned = new WeakSet<object>();

  /** A node returned this value: it, or items in it, may have been changed in place. */
  returned(value: unknown): void {
    if (!isObject(value)) return;
    this.#returned.add(value);
    if (Array.isArray(value)) for (const item of value) if (isObject(item)) this.#returned.add(item);
  }

  /** How many items at the start of `items` are those stored at `ref`. */
  common(ref: ListRef, primitives: Primitives, items: readonly unknown[]): number {
    const most = Math.min(lengthOf(ref), items.length);
    let segment = 0;
    for (let index = 0; index < most; index += 1) {
      const item = items[index];
      if (!isObject(item)) {
        // An undefined item looks like an object's place.
        if (!(index in primitives) || !Object.is(primitives[index], item)) return index;
        continue;
      }
      while ((ref.segments[segment]?.upTo ?? most) <= index) segment += 1;
      const place = this.#places.get(item);
      if (place?.index !== index || place.lineage !== ref.segments[segment]?.lineage.id) return index;
      if (this.#returned.has(item)) return index;
    }
    return most;
  }

  /** These items are serialized as they are now: what was changed in them before is not missed. */
  taken(items: readonly unknown[]): void {
    for (const item of items) if (isObject(item)) this.#returned.delete(item);
  }

  /**
   * Remembers `items`, those of a list from `start` on, now that they are stored at `ref`. Only then: what was
   * not stored may find other items of another process in its place.
   * @returns what {@link common} needs later
   */
  remember(ref: ListRef, start: number, items: readonly unknown[], before: Primitives): Primitives {
    const primitives = before.slice(0, start);
    for (const [offset, item] of items.entries()) {
      const index = start + offset;
      if (isObject(item)) this.#places.set(item, { lineage: lineageAt(ref, index)?.id ?? -1, index });
      else primitives[index] = item;
    }
    return primitives;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
