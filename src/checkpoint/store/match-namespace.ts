import { comparePaths } from "./compare-text.ts";
import { escapeText } from "./escaped-text.ts";
import type { NamespaceQuery } from "./store-backend.ts";

/** Stands for any one label in the path of a listing. */
export const ANY_LABEL = "*";

/** Whether the namespace is the prefix or lies below it, by whole labels: `["a", "bc"]` is not below `["a", "b"]`. */
export function isBelow(namespace: readonly string[], prefix: readonly string[]): boolean {
  return prefix.every((label, index) => namespace[index] === label);
}

/** The namespaces that fit, each once, cut to `maxDepth`, in the order of their labels. */
export function distinctNamespaces(
  namespaces: readonly (readonly string[])[],
  { prefixes, suffixes, maxDepth }: Pick<NamespaceQuery, "prefixes" | "suffixes" | "maxDepth">,
): string[][] {
  const found = new Map<string, string[]>();
  for (const namespace of namespaces) {
    const fits =
      prefixes.every((path) => fitsAt(namespace, path, 0)) &&
      suffixes.every((path) => fitsAt(namespace, path, namespace.length - path.length));
    if (!fits) continue;
    const cut = namespace.slice(0, maxDepth);
    found.set(JSON.stringify(cut), cut);
  }
  return [...found.values()].sort((a, b) => comparePaths(a.map(escapeText), b.map(escapeText)));
}

function fitsAt(namespace: readonly string[], path: readonly string[], start: number): boolean {
  if (start < 0 || path.length > namespace.length) return false;
  return path.every((label, index) => label === ANY_LABEL || namespace[start + index] === label);
}
