import type { DrawnArrow, DrawnBox, Drawing } from "./drawing.ts";

/** How boxes of a tone are painted. */
const CLASSES: Record<string, string> = {
  terminal: "fill:none,stroke-dasharray:4",
  approval: "stroke:#b58900,stroke-width:2px",
  irreversible: "stroke:#dc322f,stroke-width:2px",
};

/** The drawing as a Mermaid flowchart. */
export function drawMermaid({ boxes, arrows }: Drawing): string {
  // Plain numbers: names may be words that mean something in Mermaid, such as `end`.
  const ids = new Map(boxes.map(({ id }, at) => [id, `n${at}`]));
  const tones = [...new Set(boxes.map(({ tone }) => tone))].filter((tone) => tone in CLASSES);
  return [
    "flowchart TD",
    ...boxes.map((box) => `  ${ids.get(box.id)}${shapeOf(box)}${box.tone in CLASSES ? `:::${box.tone}` : ""}`),
    ...arrows.map((arrow) => `  ${ids.get(arrow.from)} ${lineOf(arrow)} ${ids.get(arrow.to)}`),
    ...tones.map((tone) => `  classDef ${tone} ${CLASSES[tone]}`),
  ].join("\n");
}

function shapeOf({ lines, tone }: DrawnBox): string {
  const text = `"${lines.map(escape).join("<br/>")}"`;
  return tone === "terminal" ? `([${text}])` : `[${text}]`;
}

function lineOf({ dashed, label }: DrawnArrow): string {
  return (dashed ? "-.->" : "-->") + (label === "" ? "" : `|"${escape(label)}"|`);
}

function escape(text: string): string {
  return text.replaceAll("&", "#amp;").replaceAll('"', "#quot;").replaceAll("<", "#lt;").replaceAll(">", "#gt;");
}
