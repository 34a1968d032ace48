import { createRequire } from "node:module";

const { version } = createRequire(import.meta.url)("@langchain/langgraph/package.json") as { readonly version: string };

/** Whether the installed LangGraph is of this minor version of 1, or a later one: it has mended some hazards since. */
export function langgraphSince(minor: number): boolean {
  const [major = 0, installed = 0] = version.split(".").map(Number);
  return major > 1 || installed >= minor;
}
