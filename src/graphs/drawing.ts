import { ENTRY, EXIT, type GraphShape, type ShapeEdge, type ShapeNode } from "./graph-shape.ts";

/** A box of the drawing: a node, the start or the end. */
export interface DrawnBox {
  readonly id: string;
  /** The name, and below it what the node does: one short text per line. */
  readonly lines: readonly string[];
  /** What it is coloured by. */
  readonly tone: Tone;
}

export type Tone = "terminal" | "plain" | "irreversible" | "approval";

/** An arrow of the drawing; several edges between the same two boxes are one. */
export interface DrawnArrow {
  readonly from: string;
  readonly to: string;
  /** Whether a condition decides to take it. */
  readonly dashed: boolean;
  /** A cap, a person who is asked, or the condition's name for it. */
  readonly label: string;
}

/** What is drawn of a graph, in whatever format. */
export interface Drawing {
  readonly boxes: readonly DrawnBox[];
  readonly arrows: readonly DrawnArrow[];
  /** What the signs in it mean, as far as there are any. */
  readonly legend: readonly string[];
}

/** Signs that are one column wide in a terminal. */
const PERSON = "☺";
const WARNING = "⚠";

/** What to draw of a graph. */
export function drawingOf(shape: GraphShape): Drawing {
  const declared = shape.edges.filter(({ assumed }) => assumed === undefined);
  // Of what a condition may do, only what nothing else explains is drawn; the rest would hide the graph.
  const unexplained = shape.edges.filter(
    ({ from, to, assumed }) => assumed === true && from !== to && !declared.some((edge) => edge.to === to),
  );
  const arrows = arrowsOf([...declared, ...unexplained]);
  const anywhere = new Set(shape.edges.filter(({ assumed }) => assumed === true).map(({ from }) => from));
  const boxes = shape.nodes.map((node) => boxOf(node, anywhere.has(node.name)));
  const start: DrawnBox = { id: ENTRY, lines: anywhere.has(ENTRY) ? ["start", ANYWHERE] : ["start"], tone: "terminal" };
  const end: DrawnBox = { id: EXIT, lines: ["end"], tone: "terminal" };
  const known = new Set([ENTRY, EXIT, ...boxes.map(({ id }) => id)]);
  const missing = [...new Set(arrows.flatMap(({ from, to }) => [from, to]))].filter((id) => !known.has(id));
  const others = missing.map((id): DrawnBox => ({ id, lines: [id, "not added yet"], tone: "terminal" }));
  const ends = arrows.some(({ to }) => to === EXIT) ? [end] : [];
  return { boxes: [start, ...boxes, ...others, ...ends], arrows, legend: legendOf(arrows) };
}

const ANYWHERE = "may go anywhere";

function boxOf({ name, traits, subgraph }: ShapeNode, anywhere: boolean): DrawnBox {
  const lines = [name];
  if (traits.approval === true) lines.push(`${PERSON} approval`);
  if (traits.effect === "irreversible") lines.push(`${WARNING} irreversible`);
  if (traits.effect === "idempotent") lines.push("idempotent");
  if (traits.compensate !== undefined && traits.compensate !== name) lines.push(`undone by ${traits.compensate}`);
  if (traits.cap !== undefined) lines.push(`≤${traits.cap}`);
  if (subgraph !== undefined) lines.push(`graph of ${subgraph.nodes.length}`);
  if (anywhere) lines.push(ANYWHERE);
  const tone = traits.effect === "irreversible" ? "irreversible" : traits.approval === true ? "approval" : "plain";
  return { id: name, lines, tone };
}

function arrowsOf(edges: readonly ShapeEdge[]): DrawnArrow[] {
  const arrows = new Map<string, DrawnArrow>();
  for (const edge of edges) {
    const { from, to } = edge;
    const key = JSON.stringify([from, to]);
    const known = arrows.get(key);
    const labels = [known?.label ?? "", labelOf(edge)].filter((label) => label !== "");
    const dashed = (edge.kind === "choice" || edge.kind === "error") && known?.dashed !== false;
    arrows.set(key, { from, to, dashed, label: [...new Set(labels)].join(", ") });
  }
  return [...arrows.values()];
}

function labelOf({ kind, label, guard, assumed }: ShapeEdge): string {
  if (assumed === true) return "?";
  if (kind === "error") return "on error";
  if (guard?.asks === true) return PERSON;
  if (guard !== undefined) return guard.max === undefined ? "capped" : `≤${guard.max}`;
  return label ?? "";
}

function legendOf(arrows: readonly DrawnArrow[]): string[] {
  const legend: string[] = [];
  if (arrows.some(({ dashed }) => dashed)) legend.push("dashed: if a condition says so");
  if (arrows.some(({ label }) => label.includes("≤"))) legend.push("≤n: at most n rounds a turn");
  if (arrows.some(({ label }) => label === PERSON)) legend.push(`${PERSON}: if a person says so`);
  if (arrows.some(({ label }) => label === "?")) legend.push("?: not declared, may go there");
  return legend;
}
