import { expect, test } from "vitest";

import { Slots } from "../../src/graphs/slots.ts";

const config = (checkpointId: string, signal?: AbortSignal) =>
  ({ executionInfo: { checkpointId }, ...(signal === undefined ? {} : { signal }) }) as never;

/** Work that ends when it is told to. */
function work() {
  const gate = Promise.withResolvers<string>();
  let started = false;
  const run = () => {
    started = true;
    return gate.promise;
  };
  return {
    run,
    finish: (value: string) => gate.resolve(value),
    fail: (error: Error) => gate.reject(error),
    isStarted: () => started,
  };
}

test("others wait their turn, in the order they came, and a failure gives its slot on", async () => {
  const slots = new Slots(1);
  const [a, b, c] = [work(), work(), work()];
  const results = [a, b, c].map(({ run }) => slots.run(config("x"), run));
  await Promise.resolve();
  expect([a, b, c].map(({ isStarted }) => isStarted())).toEqual([true, false, false]);
  a.fail(new Error("broken"));
  await expect(results[0]).rejects.toThrow("broken");
  expect([b, c].map(({ isStarted }) => isStarted())).toEqual([true, false]);
  b.finish("b");
  expect(await results[1]).toBe("b");
  c.finish("c");
  expect(await results[2]).toBe("c");
});

test("runs that stand at other checkpoints have slots of their own", async () => {
  const slots = new Slots(1);
  const [a, b] = [work(), work()];
  const results = [slots.run(config("x"), a.run), slots.run(config("y"), b.run)];
  await Promise.resolve();
  expect([a.isStarted(), b.isStarted()]).toEqual([true, true]);
  a.finish("a");
  b.finish("b");
  expect(await Promise.all(results)).toEqual(["a", "b"]);
});

test("who is aborted while waiting leaves the line, and the one behind comes on", async () => {
  const slots = new Slots(1);
  const [a, b, c] = [work(), work(), work()];
  const controller = new AbortController();
  const first = slots.run(config("x"), a.run);
  const second = slots.run(config("x", controller.signal), b.run);
  const third = slots.run(config("x"), c.run);
  controller.abort(new Error("cancelled"));
  await expect(second).rejects.toThrow("cancelled");
  a.finish("a");
  await first;
  c.finish("c");
  expect(await third).toBe("c");
  expect(b.isStarted()).toBe(false);
});
