import fc from "fast-check";
import { expect, test } from "vitest";

import { elementaryCycles, type Link, shortestPath } from "../../src/graphs/cycles.ts";

const nodes = ["a", "b", "c", "d", "e"];
const graphs = fc.uniqueArray(fc.tuple(fc.constantFrom(...nodes), fc.constantFrom(...nodes)), {
  maxLength: 12,
  selector: ([from, to]) => from + to,
});

/** All simple paths, found by trying every one. */
function simplePaths(links: readonly Link[], path: readonly string[]): string[][] {
  const onward = links.filter(([from, to]) => from === path.at(-1) && !path.includes(to));
  return [[...path], ...onward.flatMap(([, to]) => simplePaths(links, [...path, to]))];
}

/** The same cycle whatever node it begins with. */
function canonical(cycle: readonly string[]): string {
  const turns = cycle.map((_, at) => [...cycle.slice(at), ...cycle.slice(0, at)].join(" "));
  return turns.toSorted()[0] ?? "";
}

test("elementaryCycles finds each cycle that trying every path finds, once", () => {
  fc.assert(
    fc.property(graphs, (links) => {
      const closed = nodes
        .flatMap((node) => simplePaths(links, [node]))
        .filter((path) => links.some(([from, to]) => from === path.at(-1) && to === path[0]));
      const expected = [...new Set(closed.map(canonical))].toSorted();
      expect(elementaryCycles(links, 1000).map(canonical).toSorted()).toEqual(expected);
    }),
  );
});

test("elementaryCycles stops at its limit", () => {
  const complete = nodes.flatMap((from) => nodes.map((to): Link => [from, to]));
  expect(elementaryCycles(complete, 7)).toHaveLength(7);
});

test("shortestPath is as short as the shortest of all paths, and leads along links", () => {
  fc.assert(
    fc.property(graphs, fc.constantFrom(...nodes), fc.constantFrom(...nodes), (links, from, to) => {
      const all = simplePaths(links, [from]).filter((path) => path.at(-1) === to);
      const path = shortestPath(links, from, to);
      expect(path?.length).toBe(all.length === 0 ? undefined : Math.min(...all.map(({ length }) => length)));
      if (path !== undefined) expect(all).toContainEqual(path);
    }),
  );
});
