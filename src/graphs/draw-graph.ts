import { styleText } from "node:util";

import { z } from "zod";

import { parseOptions } from "../errors/index.ts";
import { drawMermaid } from "./draw-mermaid.ts";
import { drawText } from "./draw-text.ts";
import { drawingOf } from "./drawing.ts";
import { graphShape, type InspectableGraph } from "./graph-shape.ts";

/** How {@link drawGraph} draws. */
export interface DrawGraphOptions {
  /** Boxes and arrows for a terminal, or a Mermaid flowchart. @default "text" */
  readonly format?: "text" | "mermaid";
  /** Whether text has terminal colours. @default false */
  readonly color?: boolean;
  /** The columns text may take; a graph that needs more is drawn as a list. @default 100 */
  readonly width?: number;
}

const Options = z.object({
  format: z.enum(["text", "mermaid"]).default("text"),
  color: z.boolean().default(false),
  width: z.int().min(1).default(100),
});

/**
 * Draws a graph, as Mermaid or as text for a terminal. Caps (`≤10`), approvals and effects are visible in it, a dashed
 * arrow is one that a condition may take. The same graph gives the same drawing; there is no newline at its end.
 *
 * @throws {PerdureError} `GRAPH_UNSUPPORTED` for what is no StateGraph, `OPTIONS_INVALID`
 *
 * @example
 * console.log(drawGraph(graph, { color: process.stdout.isTTY, width: process.stdout.columns }));
 */
export function drawGraph(graph: InspectableGraph, options: DrawGraphOptions = {}): string {
  const { format, color, width } = parseOptions("drawGraph", Options, options);
  const drawing = drawingOf(graphShape(graph));
  return format === "mermaid" ? drawMermaid(drawing) : drawText(drawing, width, color ? paint : (text) => text);
}

const STYLES: Record<string, Parameters<typeof styleText>[0]> = {
  terminal: "dim",
  approval: "yellow",
  irreversible: "red",
  label: "cyan",
  legend: "dim",
};

function paint(text: string, tone: string): string {
  const style = STYLES[tone];
  return style === undefined ? text : styleText(style, text, { validateStream: false });
}
