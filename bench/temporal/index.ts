export { temporalBenchmark } from "./temporal-benchmark.ts";
