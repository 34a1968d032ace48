import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareChannelVersions } from "@langchain/langgraph-checkpoint";
import { nextChannelVersion } from "../../src/checkpoint/channel-version.ts";

const version = fc.oneof(
  fc.constant(undefined),
  fc.integer({ min: 1, max: 2 ** 20 }),
  fc.double({ min: 1, max: 2 ** 20, noNaN: true }),
);

describe("the next version of a channel", () => {
  it("comes after the current one, one whole number on", () => {
    fc.assert(
      fc.property(version, (current) => {
        const next = nextChannelVersion(current);
        expect(compareChannelVersions(next, current ?? 0)).toBe(1);
        expect(Math.floor(next)).toBe(Math.floor(current ?? 0) + 1);
      }),
    );
  });

  it("is another one in each branch, and survives JSON and text", () => {
    fc.assert(
      fc.property(version, (current) => {
        const branches = Array.from({ length: 50 }, () => nextChannelVersion(current));
        expect(new Set(branches).size).toBe(50);
        for (const next of branches) {
          expect(JSON.parse(JSON.stringify(next))).toBe(next);
          expect(Number(String(next))).toBe(next);
          expect(String(next)).not.toContain("e");
        }
      }),
      { numRuns: 20 },
    );
  });
});
