export { ERROR_CODES, PerdureError, isPerdureError } from "./perdure-error.ts";
export type { ErrorCode, PerdureErrorOptions } from "./perdure-error.ts";
export { anyFunction, parseOptions, show } from "./parse-options.ts";
