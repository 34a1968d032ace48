import { describe, expect, it } from "vitest";
import type { Checkpointer, LockOptions, ThreadLock } from "perdure/checkpoint";
import { newThread } from "./store.ts";

const EXCLUSIVE: LockOptions = { mode: "exclusive", wait: false };
const SHARED: LockOptions = { mode: "shared", wait: false };

/**
 * The right to drive a thread.
 * @param another A second checkpointer on the same store, as another process has it; the same one where there is none.
 */
export function describeLocks(checkpointer: () => Checkpointer, another: () => Checkpointer): void {
  async function taken(lock: Promise<ThreadLock | undefined>): Promise<ThreadLock> {
    const held = await lock;
    if (held === undefined) throw new Error("the lock was not free");
    return held;
  }

  describe("the lock of a thread", () => {
    it("keeps everybody out while it is held alone, and nobody after", async () => {
      const threadId = newThread();
      const lock = await taken(checkpointer().lockThread(threadId, EXCLUSIVE));
      for (const opener of [checkpointer(), another()]) {
        expect(await opener.lockThread(threadId, EXCLUSIVE)).toBeUndefined();
        expect(await opener.lockThread(threadId, SHARED)).toBeUndefined();
      }
      expect(lock.lost.aborted).toBe(false);
      await lock.release();
      await (await taken(another().lockThread(threadId, EXCLUSIVE))).release();
    });

    it("held shared lets others share it, and keeps out who wants it alone until the last has released", async () => {
      const threadId = newThread();
      const one = await taken(checkpointer().lockThread(threadId, SHARED));
      const two = await taken(another().lockThread(threadId, SHARED));
      const three = await taken(checkpointer().lockThread(threadId, SHARED));
      await one.release();
      await three.release();
      expect(await checkpointer().lockThread(threadId, EXCLUSIVE)).toBeUndefined();
      await two.release();
      await (await taken(checkpointer().lockThread(threadId, EXCLUSIVE))).release();
    });

    it("of one thread is none of another", async () => {
      const locks = [
        await taken(checkpointer().lockThread(newThread(), EXCLUSIVE)),
        await taken(another().lockThread(newThread(), EXCLUSIVE)),
      ];
      for (const lock of locks) await lock.release();
    });

    it("is released once, however often that is asked", async () => {
      const threadId = newThread();
      const first = await taken(checkpointer().lockThread(threadId, EXCLUSIVE));
      await first.release();
      const second = await taken(checkpointer().lockThread(threadId, EXCLUSIVE));
      await first.release();
      expect(await another().lockThread(threadId, SHARED)).toBeUndefined();
      await second.release();
    });

    it("is given to those who wait, first come first served in this process", async () => {
      const threadId = newThread();
      const order: string[] = [];
      const first = await taken(checkpointer().lockThread(threadId, EXCLUSIVE));
      const waiting = (["exclusive", "shared", "shared", "exclusive"] as const).map(async (mode, n) => {
        const lock = await taken(checkpointer().lockThread(threadId, { mode, wait: true }));
        order.push(`${mode}-${n}`);
        await lock.release();
      });
      expect(order).toEqual([]);
      await first.release();
      await Promise.all(waiting);
      expect(order).toHaveLength(4);
      expect(order[0]).toBe("exclusive-0");
      expect(order.slice(1, 3).toSorted()).toEqual(["shared-1", "shared-2"]);
      expect(order[3]).toBe("exclusive-3");
    });

    it("is given to another opener that waits", async () => {
      const threadId = newThread();
      const first = await taken(checkpointer().lockThread(threadId, EXCLUSIVE));
      let got = false;
      const waiting = taken(another().lockThread(threadId, { mode: "exclusive", wait: true })).then((lock) => {
        got = true;
        return lock;
      });
      expect(await another().lockThread(threadId, EXCLUSIVE)).toBeUndefined();
      expect(got).toBe(false);
      await first.release();
      await (await waiting).release();
    });

    it("is not waited for any more when the signal aborts, and the others still get it", async () => {
      const threadId = newThread();
      const first = await taken(checkpointer().lockThread(threadId, EXCLUSIVE));
      const givingUp = new AbortController();
      const reason = new Error("timeout exceeded, says the caller");
      for (const opener of [checkpointer(), another()]) {
        const controller = new AbortController();
        const waiting = opener.lockThread(threadId, { mode: "exclusive", wait: true, signal: controller.signal });
        controller.abort(reason);
        await expect(waiting).rejects.toBe(reason);
      }
      const other = checkpointer().lockThread(threadId, { mode: "exclusive", wait: true, signal: givingUp.signal });
      await first.release();
      await (await taken(other)).release();
      givingUp.abort(reason);
      await (await taken(another().lockThread(threadId, EXCLUSIVE))).release();
    });

    it("is not taken with a signal that has aborted", async () => {
      const reason = new Error("too late");
      const options: LockOptions = { ...EXCLUSIVE, signal: AbortSignal.abort(reason) };
      const threadId = newThread();
      await expect(checkpointer().lockThread(threadId, options)).rejects.toBe(reason);
      await (await taken(checkpointer().lockThread(threadId, EXCLUSIVE))).release();
    });

    it("does not hold up commits to the thread, nor locks of 30 others", async () => {
      const threadId = newThread();
      const lock = await taken(checkpointer().lockThread(threadId, EXCLUSIVE));
      await another().updateRecord(threadId, (record) => ({ ...record, epoch: 1 }));
      const others = await Promise.all(
        Array.from({ length: 30 }, () =>
          taken(checkpointer().lockThread(newThread(), { mode: "exclusive", wait: true })),
        ),
      );
      await Promise.all(others.map((other) => other.release()));
      await lock.release();
    });
  });
}
