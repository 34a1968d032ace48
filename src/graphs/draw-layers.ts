/**
 * Puts the boxes of a drawing into layers, top to bottom, after Sugiyama, Tagawa and Toda (1981): take out the arrows that
 * lead back, give each box the layer after its last predecessor, let arrows over several layers pass through
 * a joint in each, order each layer by its neighbours, and move boxes below what leads to them.
 */
import { EXIT } from "./graph-shape.ts";
import type { DrawnArrow, DrawnBox } from "./drawing.ts";

/** Something in a layer: a box, or the joint of an arrow that passes through. */
export interface Placed {
  readonly key: string;
  readonly box?: DrawnBox;
  /** Columns it takes. */
  readonly width: number;
  /** The column of its middle. */
  center: number;
}

/** The part of an arrow between two layers that follow each other. */
export interface Segment {
  readonly from: Placed;
  readonly to: Placed;
  readonly arrow: DrawnArrow;
}

/** A drawing in layers. */
export interface Layers {
  readonly layers: readonly (readonly Placed[])[];
  /** The segments that begin at the layer of the same index. */
  readonly segments: readonly (readonly Segment[])[];
  /** The arrows that lead back up, or to their own box. */
  readonly back: readonly DrawnArrow[];
}

const GAP = 4;
const SWEEPS = 8;

/** Puts a drawing into layers; `widthOf` gives a box its columns. The result depends on nothing but its arguments. */
export function layOut(
  boxes: readonly DrawnBox[],
  arrows: readonly DrawnArrow[],
  widthOf: (box: DrawnBox) => number,
): Layers {
  const back = new Set(backArrows(boxes, arrows));
  const forward = arrows.filter((arrow) => !back.has(arrow));
  const rank = ranks(boxes, forward);
  const depth = Math.max(...rank.values()) + 1;

  const layers: Placed[][] = Array.from({ length: depth }, () => []);
  const segments: Segment[][] = Array.from({ length: depth }, () => []);
  const placed = new Map<string, Placed>();
  for (const box of boxes) {
    const place: Placed = { key: box.id, box, width: widthOf(box), center: 0 };
    placed.set(box.id, place);
    layers[rank.get(box.id) ?? 0]?.push(place);
  }
  for (const arrow of forward) {
    const [top, bottom] = [rank.get(arrow.from) ?? 0, rank.get(arrow.to) ?? 0];
    const [first, last] = [placed.get(arrow.from), placed.get(arrow.to)];
    if (first === undefined || last === undefined) continue;
    let from = first;
    for (let at = top; at < bottom; at++) {
      const to: Placed = at + 1 === bottom ? last : joint(arrow, at + 1);
      if (to !== last) layers[at + 1]?.push(to);
      segments[at]?.push({ from, to, arrow });
      from = to;
    }
  }
  order(layers, segments);
  position(layers, segments);
  return { layers, segments, back: [...back] };
}

function joint(arrow: DrawnArrow, layer: number): Placed {
  return { key: `${JSON.stringify([arrow.from, arrow.to])} ${layer}`, width: 1, center: 0 };
}

/** Depth first from the first box: an arrow to a box that the search is still inside of leads back. */
function backArrows(boxes: readonly DrawnBox[], arrows: readonly DrawnArrow[]): DrawnArrow[] {
  const state = new Map<string, "inside" | "left">();
  const back: DrawnArrow[] = [];
  const visit = (id: string) => {
    state.set(id, "inside");
    for (const arrow of arrows) {
      if (arrow.from !== id) continue;
      if (state.get(arrow.to) === "inside") back.push(arrow);
      else if (!state.has(arrow.to)) visit(arrow.to);
    }
    state.set(id, "left");
  };
  for (const { id } of boxes) if (!state.has(id)) visit(id);
  return back;
}

function ranks(boxes: readonly DrawnBox[], forward: readonly DrawnArrow[]): Map<string, number> {
  const rank = new Map(boxes.map(({ id }) => [id, 0]));
  for (let moved = true; moved;) {
    moved = false;
    for (const { from, to } of forward) {
      const least = (rank.get(from) ?? 0) + 1;
      if ((rank.get(to) ?? 0) >= least) continue;
      rank.set(to, least);
      moved = true;
    }
  }
  // The end comes last, below boxes that lead nowhere too.
  if (rank.has(EXIT)) rank.set(EXIT, Math.max(...[...rank.values()], rank.get(EXIT) ?? 0));
  return rank;
}

/** Orders each layer by the mean place of its neighbours above, then below, and so on. */
function order(layers: Placed[][], segments: readonly (readonly Segment[])[]): void {
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (let step = 1; step < layers.length; step++) {
      const at = down ? step : layers.length - 1 - step;
      const layer = layers[at] ?? [];
      const beside = layers[down ? at - 1 : at + 1] ?? [];
      const between = segments[down ? at - 1 : at] ?? [];
      const wish = new Map(
        layer.map((place, index) => [
          place,
          mean(neighbours(place, between, down).map((n) => beside.indexOf(n))) ?? index,
        ]),
      );
      layer.sort((a, b) => (wish.get(a) ?? 0) - (wish.get(b) ?? 0));
    }
  }
}

/** Moves everything towards the middle of its neighbours, as far as the boxes beside it let it. */
function position(layers: readonly Placed[][], segments: readonly (readonly Segment[])[]): void {
  for (const layer of layers)
    spread(
      layer,
      layer.map(() => 0),
    );
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (let step = 1; step < layers.length; step++) {
      const at = down ? step : layers.length - 1 - step;
      const layer = layers[at] ?? [];
      const between = segments[down ? at - 1 : at] ?? [];
      spread(
        layer,
        layer.map((place) => mean(neighbours(place, between, down).map(({ center }) => center)) ?? place.center),
      );
    }
  }
  const left = Math.min(...layers.flat().map(({ center, width }) => center - Math.floor(width / 2)));
  for (const place of layers.flat()) place.center -= left;
}

/** Places boxes at the wished columns, in their order and with a gap: neighbours that collide share the shift. */
function spread(layer: readonly Placed[], wishes: readonly number[]): void {
  interface Block {
    places: Placed[];
    /** The columns of the places from the first one's. */
    offsets: number[];
    wished: number[];
  }
  const blocks: Block[] = [];
  const columnOf = ({ offsets, wished }: Block) =>
    Math.round(mean(wished.map((wish, at) => wish - (offsets[at] ?? 0))) ?? 0);
  layer.forEach((place, at) => {
    let block: Block = { places: [place], offsets: [0], wished: [wishes[at] ?? 0] };
    for (let before = blocks.at(-1); before !== undefined; before = blocks.at(-1)) {
      const distance = room(before.places.at(-1), block.places[0]);
      const lastColumn = columnOf(before) + (before.offsets.at(-1) ?? 0);
      if (columnOf(block) - lastColumn >= distance) break;
      const shift = (before.offsets.at(-1) ?? 0) + distance;
      block = {
        places: [...before.places, ...block.places],
        offsets: [...before.offsets, ...block.offsets.map((offset) => offset + shift)],
        wished: [...before.wished, ...block.wished],
      };
      blocks.pop();
    }
    blocks.push(block);
  });
  for (const block of blocks)
    block.places.forEach((place, at) => (place.center = columnOf(block) + (block.offsets[at] ?? 0)));
}

function room(left: Placed | undefined, right: Placed | undefined): number {
  if (left === undefined || right === undefined) return 0;
  return Math.ceil(left.width / 2) + Math.floor(right.width / 2) + GAP;
}

function neighbours(place: Placed, between: readonly Segment[], above: boolean): Placed[] {
  return above
    ? between.filter(({ to }) => to === place).map(({ from }) => from)
    : between.filter(({ from }) => from === place).map(({ to }) => to);
}

function mean(numbers: readonly number[]): number | undefined {
  return numbers.length === 0 ? undefined : numbers.reduce((sum, n) => sum + n, 0) / numbers.length;
}
