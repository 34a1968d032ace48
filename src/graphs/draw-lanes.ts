import type { CharCanvas } from "./char-canvas.ts";
import type { Layers } from "./draw-layers.ts";
import type { DrawnArrow } from "./drawing.ts";

/** Where a box stands: its rows, and the columns of its sides. */
export interface Frame {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** The arrows that lead back, by where they run: beside the boxes, or nowhere, if a box is in their way. */
export interface Lanes {
  readonly left: readonly DrawnArrow[];
  readonly right: readonly DrawnArrow[];
  readonly blocked: readonly DrawnArrow[];
  /** The columns that the lanes on the left take. */
  readonly leftMargin: number;
}

/** Chooses a side for each arrow that leads back: one on which both of its boxes are the last. */
export function lanesOf({ layers, back }: Layers): Lanes {
  const rank = (id: string) => layers.findIndex((layer) => layer.some(({ key }) => key === id));
  const isLast = (id: string) => layers.some((layer) => layer.at(-1)?.key === id);
  const isFirst = (id: string) => layers.some((layer) => layer[0]?.key === id);
  // Short ones run inside of long ones.
  const sorted = back.toSorted((a, b) => rank(a.from) - rank(a.to) - (rank(b.from) - rank(b.to)));
  const right = sorted.filter(({ from, to }) => isLast(from) && isLast(to));
  const left = sorted.filter((arrow) => !right.includes(arrow) && isFirst(arrow.from) && isFirst(arrow.to));
  const blocked = sorted.filter((arrow) => !right.includes(arrow) && !left.includes(arrow));
  return { left, right, blocked, leftMargin: left.reduce((sum, { label }) => sum + laneWidth(label), 0) };
}

/** Draws the arrows that have a lane. */
export function drawLanes(canvas: CharCanvas, lanes: Lanes, frames: ReadonlyMap<string, Frame>): void {
  const rightEdge = Math.max(...[...frames.values()].map(({ right }) => right));
  drawSide(canvas, lanes.right, frames, { edge: (frame) => frame.right + 1, lane: rightEdge + 3, step: 1, head: "◀" });
  drawSide(canvas, lanes.left, frames, {
    edge: (frame) => frame.left - 1,
    lane: lanes.leftMargin - 3,
    step: -1,
    head: "▶",
  });
}

interface Side {
  /** The column beside a box. */
  readonly edge: (frame: Frame) => number;
  /** The column of the first lane. */
  readonly lane: number;
  /** 1 if lanes go on to the right, -1 to the left. */
  readonly step: 1 | -1;
  readonly head: string;
}

function drawSide(
  canvas: CharCanvas,
  arrows: readonly DrawnArrow[],
  frames: ReadonlyMap<string, Frame>,
  side: Side,
): void {
  const used = new Map<string, number>();
  const nextRow = (id: string) => {
    const row = (used.get(id) ?? frames.get(id)?.top ?? 0) + 1;
    used.set(id, row);
    return row;
  };
  // All arrows to a box arrive at one row, its first.
  const arrivals = new Map(arrows.map(({ to }) => [to, 0]));
  for (const to of arrivals.keys()) arrivals.set(to, nextRow(to));

  let { lane } = side;
  for (const { from, to, dashed, label } of arrows) {
    const [source, target] = [frames.get(from), frames.get(to)];
    if (source === undefined || target === undefined) continue;
    const leave = nextRow(from);
    const arrive = arrivals.get(to) ?? target.top + 1;
    canvas.horizontal(leave, side.edge(source), lane, dashed);
    canvas.vertical(lane, leave, arrive, dashed);
    canvas.horizontal(arrive, side.edge(target), lane, dashed);
    canvas.text(arrive, side.edge(target), side.head);
    const middle = Math.floor((leave + arrive) / 2);
    canvas.text(middle, side.step === 1 ? lane + 2 : lane - 1 - label.length, label, "label");
    lane += side.step * laneWidth(label);
  }
}

function laneWidth(label: string): number {
  return label === "" ? 3 : label.length + 4;
}
