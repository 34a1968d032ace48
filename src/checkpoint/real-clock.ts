/**
 * The clock as it was when the package was loaded: a program that tests with a fake one would wait forever. What is
 * loaded on demand takes it from here, since by then the clock may be a fake.
 */
export const { setImmediate: soon, setTimeout: later } = globalThis;

const { performance } = globalThis;

/** Milliseconds, from some point on. */
export const clockMs: () => number = performance.now.bind(performance);

/** Resolves when what waits for timers, files and sockets has had its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => soon(resolve));
}
