/** How long a suite may kill processes before something hangs; the long runs of `npm run soak` take their time. */
export const CRASH_TIMEOUT_MS = process.env.PERDURE_SOAK === "1" ? 3_600_000 : 900_000;
