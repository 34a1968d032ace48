import { expect, test } from "vitest";
import { pgliteCheckpointer } from "../support/pglite-checkpointer.ts";

const store = pgliteCheckpointer();

test("timers and sockets have their turn beside somebody who reads without a pause", async () => {
  let isTheirTurn = false;
  setImmediate(() => {
    isTheirTurn = true;
  });
  for (let reads = 0; !isTheirTurn && reads < 1_000; reads += 1) await store.checkpointer.readRecord("nobody");
  expect(isTheirTurn).toBe(true);
});
