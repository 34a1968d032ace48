import { Annotation } from "@langchain/langgraph";

/** The state of a graph for tests: lines of text, in the order in which they were applied. */
export const TextLog = Annotation.Root({
  log: Annotation<string[], string | string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});
