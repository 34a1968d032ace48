import { z } from "zod";
import { cursorOf, keyOfCursor } from "./thread-lists.ts";
import type { ListPage } from "./thread-lists.ts";

/** How many items came before a page. */
const localKey = z.tuple([z.int().min(0)]);

/** A page of a list that is there whole. */
export function pageOf<Item>(
  method: string,
  all: readonly Item[],
  { limit, after }: { limit: number; after?: string | undefined },
): ListPage<Item> {
  const from = after === undefined ? 0 : keyOfCursor(method, after, localKey)[0];
  const items = all.slice(from, from + limit);
  return from + limit < all.length ? { items, next: cursorOf([from + limit]) } : { items };
}
