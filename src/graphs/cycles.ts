/** A directed edge. */
export type Link = readonly [from: string, to: string];

/**
 * The elementary cycles of a directed graph, up to `limit`: each as the list of its nodes, once, beginning with the one
 * that comes first in the links. Depth first from each node over nodes that come after it, after Tiernan (1970).
 */
export function elementaryCycles(links: readonly Link[], limit: number): string[][] {
  const order = [...new Set(links.flat())];
  const next = successors(links);
  const cycles: string[][] = [];
  order.forEach((root, rank) => {
    // Only nodes that lead back to the root without an earlier one are worth a visit: no search ends in nothing.
    const later = new Set(order.slice(rank));
    const useful = leadingTo(root, links, later);
    const path = [root];
    const visit = (node: string) => {
      for (const to of next.get(node) ?? []) {
        if (cycles.length >= limit) return;
        if (to === root) cycles.push([...path]);
        else if (useful.has(to) && !path.includes(to)) {
          path.push(to);
          visit(to);
          path.pop();
        }
      }
    };
    if (useful.has(root)) visit(root);
  });
  return cycles;
}

/** The nodes of a shortest way, both ends with it; `undefined` if there is none. */
export function shortestPath(links: readonly Link[], from: string, to: string): string[] | undefined {
  const next = successors(links);
  const paths: string[][] = [[from]];
  const seen = new Set([from]);
  for (const path of paths) {
    const last = path.at(-1) ?? from;
    if (last === to) return path;
    for (const step of next.get(last) ?? []) {
      if (seen.has(step)) continue;
      seen.add(step);
      paths.push([...path, step]);
    }
  }
  return undefined;
}

function leadingTo(root: string, links: readonly Link[], among: ReadonlySet<string>): Set<string> {
  const found = new Set<string>();
  const queue = [root];
  for (const node of queue) {
    for (const [from, to] of links) {
      if (to !== node || !among.has(from) || found.has(from)) continue;
      found.add(from);
      queue.push(from);
    }
  }
  return found;
}

function successors(links: readonly Link[]): Map<string, Set<string>> {
  const next = new Map<string, Set<string>>();
  for (const [from, to] of links) next.set(from, (next.get(from) ?? new Set()).add(to));
  return next;
}
