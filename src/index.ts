export { PerdureError, isPerdureError } from "./errors/index.ts";
export type { ErrorCode } from "./errors/index.ts";
