import fc from "fast-check";

/** Labels and keys that some database, separator or pattern would trip over; no two are the same. */
export const HARD_TEXTS = [
  "a",
  "A",
  "ab",
  "a.b",
  "a:b",
  "a/b",
  "a|b",
  "a,b",
  "a b",
  " a",
  "a ",
  "a%",
  "%",
  "_",
  "a_",
  "*",
  "a*",
  "?",
  "\\",
  "a\\",
  "'",
  '"',
  "`",
  "{",
  "}",
  "{}",
  "[]",
  "NULL",
  "null",
  "undefined",
  "true",
  "0",
  "00",
  "-1",
  "$1",
  "\n",
  "\t",
  "\0",
  "a\0",
  "\0a",
  "a\0b",
  "\u0001",
  "a\u0001",
  "\ue000",
  "a\ue000",
  "\ue0000000",
  "a\ue000!",
  'a\ue000"',
  "é",
  "e\u0301",
  "ß",
  "ss",
  "İ",
  "i",
  "ﬀ",
  "漢字",
  "😀",
  "\ud83d",
  "\ude00",
  "\ud83d\ud83d\ude00",
  "\uffff",
  "\ufffd",
  "\u{10ffff}",
  "\u200b",
  "__proto__",
  "constructor",
  "ana@example.org",
] as const;

/** Any text, also with what UTF-8 or Postgres has no place for. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...HARD_TEXTS) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 12 }) },
  { weight: 1, arbitrary: fc.array(fc.nat(0xffff), { maxLength: 6 }).map((units) => String.fromCharCode(...units)) },
);

/** Any namespace. */
export const anyNamespace: fc.Arbitrary<string[]> = fc
  .array(
    anyText.filter((label) => label !== ""),
    { minLength: 1, maxLength: 4 },
  )
  .filter(([root]) => root !== "langgraph");

/** None that ends in a backslash: once V8 has parsed such a key, it takes others for it (nodejs/node#63785). */
const anyField = anyText.filter((text) => !text.endsWith("\\"));

/** Any object of JSON. */
export const anyValue: fc.Arbitrary<Record<string, unknown>> = fc
  .dictionary(
    anyField,
    fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.oneof(
          anyText,
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.integer(),
          fc.boolean(),
          fc.constant(null),
        ),
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(anyField, tie("value"), { maxKeys: 4 }),
      ),
    })).value,
    { maxKeys: 6 },
  )
  .map((value) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>);
