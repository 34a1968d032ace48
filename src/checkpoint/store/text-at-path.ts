/**
 * The texts at a path of a value, as LangGraph's `IndexConfig` documents paths: `"title"`, `"meta.title"`,
 * `"chapters[*].content"`, `"authors[0].name"`, `"notes[-1]"`, and `"$"` for the whole as JSON. Numbers and
 * truth values count as texts, objects as their JSON; what is absent gives none.
 */
export function textsAtPath(value: unknown, path: string): string[] {
  if (path === "$") return [JSON.stringify(value)];
  const steps = path.split(".").flatMap((part) => part.split(/(?=\[)/u));
  return steps.reduce<unknown[]>(take, [value]).flatMap(textOf);
}

function take(values: readonly unknown[], step: string): unknown[] {
  const [, position] = /^\[(.*)\]$/u.exec(step) ?? [];
  return values.flatMap((value) => {
    if (position === undefined) return isObject(value) && Object.hasOwn(value, step) ? [value[step]] : [];
    if (!Array.isArray(value)) return [];
    if (position === "*") return value as unknown[];
    return [(value as unknown[]).at(Number(position))];
  });
}

function textOf(value: unknown): string[] {
  if (value === undefined || value === null || value === "") return [];
  return [typeof value === "object" ? JSON.stringify(value) : String(value as string | number | boolean)];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
