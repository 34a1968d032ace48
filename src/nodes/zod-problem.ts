/** What zod found wrong, of either major version, in one line: `amount: expected number, received string; to: Required`. */
export function describeZodError(error: unknown): string {
  const issues: unknown = typeof error === "object" && error !== null && "issues" in error ? error.issues : undefined;
  if (!Array.isArray(issues) || issues.length === 0) return String(error);
  return (issues as readonly { readonly path?: readonly PropertyKey[]; readonly message?: string }[])
    .map(({ path = [], message = "invalid" }) =>
      path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`,
    )
    .join("; ");
}
