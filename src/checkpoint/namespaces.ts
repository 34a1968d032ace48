/** Whether `namespace` is `above` or below it: `"ask:1|inner:2"` is below `"ask:1"`, `"ask:10"` is not. */
export function isAtOrBelow(namespace: string, above: string): boolean {
  return above === "" || namespace === above || namespace.startsWith(`${above}|`);
}
