import type { RankCandidate } from "./store-backend.ts";
import { bestSimilarity } from "./vectors.ts";

/** An item and how near it is to what was asked. */
export interface RankedItem {
  readonly id: number;
  /** From -1 to 1; undefined for an item that is not indexed, which comes after all that are. */
  readonly score: number | undefined;
}

/** One page of the candidates, nearest first; of equal ones the newer first. */
export function rank(
  candidates: readonly RankCandidate[],
  query: Float32Array,
  { limit, offset }: { readonly limit: number; readonly offset: number },
): RankedItem[] {
  return candidates
    .map(({ id, vectors }) => ({ id, score: vectors && bestSimilarity(query, vectors) }))
    .sort((a, b) => (b.score ?? Number.NEGATIVE_INFINITY) - (a.score ?? Number.NEGATIVE_INFINITY) || b.id - a.id)
    .slice(offset, offset + limit);
}
