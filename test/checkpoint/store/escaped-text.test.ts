import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeJson, escapeText, parseEscapedJson, unescapeText } from "../../../src/checkpoint/store/escaped-text.ts";
import { HARD_TEXTS, anyText, anyValue } from "./arbitraries.ts";

describe("an escaped text", () => {
  it("has neither a NUL nor half a surrogate pair, and is read back as it was", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const escaped = escapeText(text);
        expect(escaped).not.toContain("\0");
        expect(escaped.isWellFormed()).toBe(true);
        expect(unescapeText(escaped)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is that of no other text", () => {
    expect(new Set(HARD_TEXTS.map(escapeText)).size).toBe(HARD_TEXTS.length);
  });

  it("is the text itself where nothing is the matter with it", () => {
    for (const text of ["", "ana@example.org", "a%_:.\\", "漢字 😀"]) expect(escapeText(text)).toBe(text);
  });
});

describe("escaped JSON", () => {
  it("has only escaped texts and keys, and is read back as it was", () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const json = escapeJson(JSON.stringify(value));
        expect(json).not.toMatch(/(?<!\\)(\\\\)*\\u(0000|d[89a-f])/u);
        expect(isDeepStrictEqual(parseEscapedJson(json), value)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is left alone where a text only looks like an escape", () => {
    const json = JSON.stringify({ text: String.raw`\u0041 and \u00e9` });
    expect(escapeJson(json)).toBe(json);
    const value = { text: String.raw`\u0000 and \ue000`, "\\u0000": "\\" };
    expect(parseEscapedJson(escapeJson(JSON.stringify(value)))).toStrictEqual(value);
  });
});
