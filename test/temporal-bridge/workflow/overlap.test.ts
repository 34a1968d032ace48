import { describe, expect, it } from "vitest";
import { Overlap } from "../../../src/temporal-bridge/workflow/overlap.ts";

describe("Overlap", () => {
  it("takes the word of an activity that ran alone", () => {
    const overlap = new Overlap();
    overlap.begin("tasks", "1");
    expect(overlap.inFlight).toBe(1);
    expect(overlap.end("1")).toBe(false);
    expect(overlap.inFlight).toBe(0);
  });

  it("looks again after tasks that ran side by side and left the thread where it stood", () => {
    const overlap = new Overlap();
    overlap.begin("tasks", "1");
    overlap.begin("tasks", "1");
    expect(overlap.end("1")).toBe(false);
    expect(overlap.end("1")).toBe(true);
  });

  it("takes the word of the one of them that moved the thread on", () => {
    const overlap = new Overlap();
    overlap.begin("tasks", "1");
    overlap.begin("tasks", "1");
    overlap.end("2");
    expect(overlap.end("2")).toBe(false);
  });

  it("looks again after answers beside tasks, even where the thread moved on", () => {
    const overlap = new Overlap();
    overlap.begin("tasks", "1");
    overlap.begin("answers", "1");
    overlap.end("2");
    expect(overlap.end("2")).toBe(true);
    overlap.begin("answers", "2");
    overlap.begin("tasks", "2");
    overlap.end("3");
    expect(overlap.end("3")).toBe(true);
  });

  it("forgets what ran at the same time once nothing is under way", () => {
    const overlap = new Overlap();
    overlap.begin("answers", "1");
    overlap.begin("tasks", "1");
    overlap.end("1");
    overlap.end("1");
    overlap.begin("tasks", "1");
    expect(overlap.end("1")).toBe(false);
  });
});
