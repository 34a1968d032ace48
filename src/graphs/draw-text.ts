import { CharCanvas } from "./char-canvas.ts";
import { layOut, type Layers, type Placed, type Segment } from "./draw-layers.ts";
import { drawLanes, type Frame, lanesOf } from "./draw-lanes.ts";
import type { DrawnArrow, DrawnBox, Drawing } from "./drawing.ts";

type Paint = (text: string, tone: string) => string;

/** The drawing as boxes and arrows, or, where that would be wider than `width` columns, as a list. */
export function drawText(drawing: Drawing, width: number, paint: Paint): string {
  const boxes = drawBoxes(drawing, paint);
  const lines = boxes.plainWidth <= width ? boxes.text : drawList(drawing, paint);
  return [lines, ...(drawing.legend.length === 0 ? [] : ["", paint(drawing.legend.join("   "), "legend")])].join("\n");
}

function drawBoxes({ boxes: unmarked, arrows }: Drawing, paint: Paint): { text: string; plainWidth: number } {
  // Which arrows are in the way of others is known once the boxes have their order, which their widths don't change.
  const { blocked } = lanesOf(layOut(unmarked, arrows, () => 1));
  const boxes = unmarked.map((box) => ({ ...box, lines: [...box.lines, ...marksOf(box.id, blocked)] }));
  const widthOf = ({ id, lines }: DrawnBox) => {
    const text = Math.max(...lines.map((line) => line.length)) + 4;
    // The labels of its arrows stand beside their head, above the right half of the box.
    return Math.max(text, 2 * labelsTo(id, arrows).length + 1);
  };
  const layout = layOut(boxes, arrows, widthOf);
  const lanes = lanesOf(layout);
  for (const place of layout.layers.flat()) place.center += lanes.leftMargin;
  const canvas = new CharCanvas();
  const frames = new Map<string, Frame>();
  let row = 0;
  layout.layers.forEach((layer, at) => {
    const height = Math.max(...layer.map(({ box }) => (box === undefined ? 1 : rowsOf(box, layout).length + 2)));
    for (const place of layer) {
      if (place.box === undefined)
        canvas.vertical(place.center, row - 1, row + height, isDashed(place, layout.segments[at]));
      else frames.set(place.key, drawBox(canvas, row, place, rowsOf(place.box, layout)));
    }
    row += height;
    const segments = layout.segments[at] ?? [];
    // Lines begin right below their own box, which may be less high than others of its layer.
    for (const { from } of segments) {
      const bottom = frames.get(from.key)?.bottom;
      if (bottom !== undefined && bottom + 1 < row)
        canvas.vertical(from.center, bottom + 1, row, isDashed(from, segments));
    }
    row = drawGap(canvas, row, segments);
  });
  drawLanes(canvas, lanes, frames);
  const plain = canvas.render((text) => text);
  return {
    text: trimEnds(canvas.render(paint)),
    plainWidth: Math.max(...plain.split("\n").map((line) => line.trimEnd().length)),
  };
}

function drawBox(canvas: CharCanvas, top: number, { box, center, width }: Placed, rows: readonly string[]): Frame {
  const tone = box?.tone === "plain" ? undefined : box?.tone;
  const left = center - Math.floor(width / 2);
  const inner = width - 2;
  canvas.text(top, left, `╭${"─".repeat(inner)}╮`, tone);
  rows.forEach((text, at) => {
    const before = Math.floor((inner - text.length) / 2);
    canvas.text(top + 1 + at, left, `│${" ".repeat(before)}${text}${" ".repeat(inner - text.length - before)}│`, tone);
  });
  const bottom = top + rows.length + 1;
  canvas.text(bottom, left, `╰${"─".repeat(inner)}╯`, tone);
  return { top, bottom, left, right: left + width - 1 };
}

/** The lines of a box, with as many rows as arrows begin or end at its sides. */
function rowsOf(box: DrawnBox, { back }: Layers): string[] {
  const ends = Number(back.some(({ to }) => to === box.id)) + back.filter(({ from }) => from === box.id).length;
  return [...box.lines, ...Array.from({ length: Math.max(0, ends - box.lines.length) }, () => "")];
}

/** Draws the lines between two layers from `top` on; returns the row below them. */
function drawGap(canvas: CharCanvas, top: number, segments: readonly Segment[]): number {
  if (segments.length === 0) return top;
  const tracks = tracksOf(segments);
  const bottom = top + tracks.length + 1;
  for (const { from, to, arrow } of segments) {
    const track = tracks.findIndex((sources) => sources.includes(from));
    const turn = track < 0 ? bottom : top + 1 + track;
    canvas.vertical(from.center, top, turn, arrow.dashed);
    if (from.center !== to.center) canvas.horizontal(turn, from.center, to.center, arrow.dashed);
    canvas.vertical(to.center, turn, bottom, arrow.dashed);
  }
  for (const to of new Set(segments.map((segment) => segment.to))) {
    if (to.box === undefined) continue;
    canvas.text(bottom, to.center, "▼");
    const label = labelsTo(
      to.key,
      segments.map(({ arrow }) => arrow),
    );
    canvas.text(bottom, to.center + 2, label, "label");
  }
  return bottom + 1;
}

/**
 * The rows between two layers, from the top: a box whose lines bend has one, together with boxes whose lines don't come
 * near, or that lead to the same one place. Where a line ends in the column another one begins in, its row comes below.
 */
function tracksOf(segments: readonly Segment[]): Placed[][] {
  const sources = [...new Set(segments.map(({ from }) => from))];
  const targets = new Map(
    sources.map((from) => [from, segments.filter((s) => s.from === from).map(({ to }) => to.center)]),
  );
  const targetsOf = (from: Placed) => targets.get(from) ?? [];
  const span = (from: Placed) =>
    [Math.min(from.center, ...targetsOf(from)), Math.max(from.center, ...targetsOf(from))] as const;
  const isApart = (a: Placed, b: Placed) => span(a)[0] > span(b)[1] + 1 || span(b)[0] > span(a)[1] + 1;
  const isMerging = (a: Placed, b: Placed) => new Set([...targetsOf(a), ...targetsOf(b)]).size === 1;

  const waiting = sources.filter((from) => targetsOf(from).some((column) => column !== from.center));
  const tracks: Placed[][] = [];
  while (waiting.length > 0) {
    const free = waiting.filter(
      (from) => !waiting.some((other) => other !== from && targetsOf(from).includes(other.center)),
    );
    const track: Placed[] = [];
    for (const from of free.length > 0 ? free : waiting.slice(0, 1)) {
      if (track.every((other) => isApart(from, other) || isMerging(from, other))) track.push(from);
    }
    for (const from of track) waiting.splice(waiting.indexOf(from), 1);
    tracks.push(track);
  }
  return tracks;
}

/** Arrows back that have no lane are named in the box they begin at. */
function marksOf(id: string, blocked: readonly DrawnArrow[]): string[] {
  return blocked.filter(({ from }) => from === id).map(({ to, label }) => `↺ ${to}${label === "" ? "" : ` ${label}`}`);
}

function labelsTo(id: string, arrows: readonly DrawnArrow[]): string {
  const labels = arrows.filter(({ to, label }) => to === id && label !== "").map(({ label }) => label);
  return [...new Set(labels)].join(", ");
}

function isDashed(place: Placed, segments: readonly Segment[] | undefined): boolean {
  const own = (segments ?? []).filter(({ from, to }) => from === place || to === place);
  return own.length > 0 && own.every(({ arrow }) => arrow.dashed);
}

function drawList({ boxes, arrows }: Drawing, paint: Paint): string {
  const name = (id: string) => boxes.find((box) => box.id === id)?.lines[0] ?? id;
  return boxes
    .filter(({ id }) => arrows.some(({ from, to }) => from === id || to !== id))
    .map(({ id, lines: [title = id, ...what], tone }) => {
      const out = arrows.filter(({ from }) => from === id);
      const head = paint(title, tone) + (what.length === 0 ? "" : `  ${what.join(", ")}`);
      const rows = out.map(({ to, dashed, label }, at) => {
        const corner = at === out.length - 1 ? "└" : "├";
        return `  ${corner}${dashed ? "┄" : "─"}▶ ${name(to)}${label === "" ? "" : `  ${paint(label, "label")}`}`;
      });
      return [head, ...rows].join("\n");
    })
    .join("\n");
}

function trimEnds(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")
    .trimEnd();
}
