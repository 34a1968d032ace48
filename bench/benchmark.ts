/** One measurement that `bench/main.ts` can run. */
export interface Benchmark {
  /** Measures, prints tables, and returns what `--json` prints beside the name. */
  measure(options: BenchmarkOptions): Promise<Readonly<Record<string, unknown>>>;
}

/** How much is measured, and where it is shown. */
export interface BenchmarkOptions {
  /** How often each side is measured; undefined leaves it to the benchmark. */
  readonly rounds: number | undefined;
  /** The size of the work as a share of the full one; with any but 1 it is a trial, not the measurement. */
  readonly scale: number;
  readonly print: (line: string) => void;
  /** Says what is being done, for somebody who waits. */
  readonly progress: (line: string) => void;
}
