import { END, START } from "@langchain/langgraph";

import { PerdureError } from "../errors/index.ts";

/**
 * Refuses a name that a builder, or LangGraph, can't give to a node.
 *
 * @param builder who was called, as it stands in the message
 * @param channels those of the graph: LangGraph keeps what goes to a node in a channel of its name
 * @throws {PerdureError} `GRAPH_INVALID`
 */
export function refuseNodeName(builder: string, name: string, channels: object): void {
  const hint = hintAbout(name, channels);
  if (hint === undefined) return;
  throw new PerdureError("GRAPH_INVALID", `${builder}: "${name}" can't be the name of a node.`, { hint });
}

function hintAbout(name: string, channels: object): string | undefined {
  // JavaScript puts such keys first, whatever the order they were written in.
  if (/^\d+$/.test(name)) return "Give it a name that is no number.";
  if (Object.hasOwn(channels, name)) return "The state has a channel of that name: rename one of the two.";
  if (name in channels) return "Every object in JavaScript has a property of that name: give it another one.";
  if (name === START || name === END || /[|:]/.test(name))
    return 'LangGraph keeps "|", ":" and its own names for itself.';
  return undefined;
}
