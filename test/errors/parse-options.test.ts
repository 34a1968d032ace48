import { describe, expect, it, test } from "vitest";
import { z } from "zod";
import { parseOptions, show } from "../../src/errors/index.ts";

describe("parseOptions", () => {
  const schema = z.strictObject({
    size: z.int().default(5),
    key: z.custom<object>((value) => value instanceof Map, "must be a map").optional(),
    index: z.object({ dims: z.int(), model: z.custom<object>((value) => value instanceof Map).optional() }).optional(),
    list: z.array(z.int()).optional(),
  });
  const message = (given: unknown): string => {
    try {
      parseOptions("open", schema, given, { secret: ["key", "model"] });
    } catch (error) {
      expect(error).toMatchObject({ code: "OPTIONS_INVALID" });
      return (error as Error).message;
    }
    throw new Error("It was taken.");
  };

  it("gives what fits, with the defaults", () => {
    expect(parseOptions("open", schema, {})).toEqual({ size: 5 });
  });

  it.each([
    [{ size: "5" }, '`size` can\'t be "5"'],
    [{ size: 5n }, "`size` can't be 5n"],
    [{ list: [1, 1.5] }, "`list.1` can't be 1.5"],
    [null, "what it was given can't be null"],
    [undefined, "what it was given can't be undefined"],
  ])("names of %o the option and its value", (given, expected) => {
    expect(message(given)).toContain(`open: ${expected}:`);
  });

  it.each([
    [{ key: "s3cret" }, "`key` can't be a string"],
    [{ key: { a: "s3cret" } }, "`key` can't be an object"],
    [{ key: ["s3cret"] }, "`key` can't be an array"],
    [{ key: null }, "`key` can't be null"],
    [{ index: { dims: 3, model: { apiKey: "s3cret" } } }, "`index.model` can't be an object"],
    [{ index: [{ model: "s3cret" }] }, '`index` can\'t be [{"model":"a string"}]'],
    [{ keys: "s3cret" }, 'Unrecognized key: "keys"'],
    [{ key: new Map([["s3cret", 1]]), size: 5.5 }, "`size` can't be 5.5"],
  ])("tells of what may be a secret only the kind, of one that is unknown only the name: %j", (given, expected) => {
    expect(message(given)).toContain(expected);
    expect(message(given)).not.toContain("s3cret");
  });
});

test("show shows a value whatever it is, and shortens it", () => {
  const circular: Record<string, unknown> = {};
  circular["me"] = circular;
  expect(show(circular)).toBe("[object Object]");
  expect(show({ n: 5n })).toBe('{"n":"5n"}');
  expect(show(5n)).toBe("5n");
  expect(show(new Date("x"))).toBe("an invalid Date");
  expect(show({ before: new Date("x") })).toBe('{"before":"an invalid Date"}');
  expect(show(new Date(0))).toBe('"1970-01-01T00:00:00.000Z"');
  expect(show(Symbol("s"))).toBe("Symbol(s)");
  expect(show("x".repeat(200))).toHaveLength(100);
});
