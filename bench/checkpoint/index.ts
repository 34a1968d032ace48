export { checkpointBenchmark } from "./checkpoint-benchmark.ts";
