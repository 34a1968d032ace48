/** The clock's own: a program that tests with a fake one would wait forever. */
const { setImmediate: soon } = globalThis;

/** Resolves when what waits for timers, files and sockets has had its turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => soon(resolve));
}
