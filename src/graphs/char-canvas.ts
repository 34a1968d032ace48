/** Which sides of its cell a line touches. */
const UP = 1;
const DOWN = 2;
const LEFT = 4;
const RIGHT = 8;

const SOLID = "?│││─┘┐┤─└┌├─┴┬┼";
const DASHED = "?┆┆┆┄┘┐┤┄└┌├┄┴┬┼";

interface Cell {
  sides: number;
  dashed: boolean;
  /** A line that passes over another one. */
  crosses: boolean;
  char?: string;
  tone?: string | undefined;
}

/** A sheet of characters on which lines join where they meet and pass over each other where they cross. */
export class CharCanvas {
  readonly #rows: (Cell | undefined)[][] = [];

  /** Writes text over whatever is there. */
  text(row: number, column: number, text: string, tone?: string): void {
    Array.from(text).forEach((char, at) => Object.assign(this.#cell(row, column + at), { char, tone }));
  }

  /** A line from one row to another in one column, both ends with it. */
  vertical(column: number, from: number, to: number, dashed = false): void {
    const [top, bottom] = [Math.min(from, to), Math.max(from, to)];
    for (let row = top; row <= bottom; row++) {
      const inner = row > top && row < bottom;
      const cell = this.#cell(row, column);
      if (inner && cell.sides === (LEFT | RIGHT)) cell.crosses = true;
      this.#join(cell, (row > top ? UP : 0) | (row < bottom ? DOWN : 0), dashed);
    }
  }

  /** A line from one column to another in one row, both ends with it. */
  horizontal(row: number, from: number, to: number, dashed = false): void {
    const [left, right] = [Math.min(from, to), Math.max(from, to)];
    for (let column = left; column <= right; column++) {
      const inner = column > left && column < right;
      const cell = this.#cell(row, column);
      if (inner && cell.sides === (UP | DOWN)) cell.crosses = true;
      this.#join(cell, (column > left ? LEFT : 0) | (column < right ? RIGHT : 0), dashed);
    }
  }

  /** The sheet, line by line; `paint` colours stretches that have a tone. */
  render(paint: (text: string, tone: string) => string): string {
    return this.#rows.map((row) => renderRow(row, paint)).join("\n");
  }

  #join(cell: Cell, sides: number, dashed: boolean): void {
    cell.dashed = (cell.sides === 0 || cell.dashed) && dashed;
    cell.sides |= sides;
  }

  #cell(row: number, column: number): Cell {
    for (let at = this.#rows.length; at <= row; at++) this.#rows.push([]);
    const cells = this.#rows[row] as (Cell | undefined)[];
    return (cells[column] ??= { sides: 0, dashed: false, crosses: false });
  }
}

function renderRow(row: readonly (Cell | undefined)[], paint: (text: string, tone: string) => string): string {
  const stretches: { text: string; tone: string | undefined }[] = [];
  for (const cell of Array.from(row)) {
    const last = stretches.at(-1);
    const char = charOf(cell);
    if (last !== undefined && last.tone === cell?.tone) last.text += char;
    else stretches.push({ text: char, tone: cell?.tone });
  }
  return stretches.map(({ text, tone }) => (tone === undefined ? text : paint(text, tone))).join("");
}

function charOf(cell: Cell | undefined): string {
  if (cell === undefined) return " ";
  if (cell.char !== undefined) return cell.char;
  if (cell.sides === 0) return " ";
  const glyphs = cell.dashed ? DASHED : SOLID;
  return glyphs[cell.crosses ? UP | DOWN : cell.sides] ?? " ";
}
