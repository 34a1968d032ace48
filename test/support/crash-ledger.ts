import { appendFileSync, existsSync, readFileSync } from "node:fs";

/**
 * An account of what processes did, one JSON line each, for tests that kill them. A line is one
 * write(2): the kernel has it when the call returns, so SIGKILL takes nothing back and tears none.
 */
export class CrashLedger<Line extends object> {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  append(line: Line): void {
    appendFileSync(this.file, `${JSON.stringify(line)}\n`);
  }

  read(): Line[] {
    if (!existsSync(this.file)) return [];
    const lines = readFileSync(this.file, "utf8").split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Line);
  }
}
