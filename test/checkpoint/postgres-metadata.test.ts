import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CheckpointMetadata } from "@langchain/langgraph-checkpoint";
import { storableMetadata } from "../../src/checkpoint/postgres-metadata.ts";

const text = fc.string({ unit: "binary", maxLength: 10 });

function metadata(extra: Record<string, unknown>): CheckpointMetadata {
  return { source: "loop", step: 1, parents: {}, ...extra };
}

describe("metadata for jsonb", () => {
  it("is the very same object when every character can be stored", () => {
    const given = metadata({ user: "Zoë 😀", nested: [{ "a\\u0000b": "\\u0000" }] });
    expect(storableMetadata(given)).toEqual(given);
    expect(storableMetadata(metadata({ user: "a" }))).not.toHaveProperty("user", "b");
    const plain = metadata({ user: "😀" });
    expect(storableMetadata(plain)).toBe(plain);
  });

  it("has U+FFFD for each NUL and each lone surrogate, in names and values, and nothing else is changed", () => {
    expect(storableMetadata(metadata({ "n\0": ["a\0b", { half: "\ud83d!", n: 1, no: null }] }))).toEqual(
      metadata({ "n\uFFFD": ["a\uFFFDb", { half: "\uFFFD!", n: 1, no: null }] }),
    );
    const unit = fc.oneof(text, fc.constantFrom("\0", "\ud83d", "\ude00", "😀", "\\u0000", "\\"));
    fc.assert(
      fc.property(fc.array(unit), (units) => {
        const value = units.join("");
        const stored = storableMetadata(metadata({ value })) as CheckpointMetadata<{ value: string }>;
        expect(stored.value).toBe(value.toWellFormed().replaceAll("\0", "\uFFFD"));
      }),
    );
  });
});
