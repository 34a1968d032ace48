/**
 * Postgres refuses a NUL in text and in jsonb, and a half of a surrogate pair has no UTF-8. Both, and the
 * character that marks them, are written as that character and four hex digits.
 */
const MARK = "\u0001";
const REFUSED = /[\0\u0001\p{Surrogate}]/gu;
const ESCAPED = /\u0001([0-9a-f]{4})/gu;
/** How JSON writes a character that {@link REFUSED} finds; also found in a text that only looks like it. */
const REFUSED_IN_JSON = /\\u(?:000[01]|d[89a-f])/u;
const MARK_IN_JSON = "\\u0001";

/** A text that every database takes; the same for the same text, and for no other. */
export function escapeText(text: string): string {
  return text.replace(REFUSED, (found) => MARK + found.charCodeAt(0).toString(16).padStart(4, "0"));
}

/** The text that was escaped. */
export function unescapeText(text: string): string {
  return text.replace(ESCAPED, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

/** JSON whose texts and keys are escaped. */
export function escapeJson(json: string): string {
  return REFUSED_IN_JSON.test(json) ? JSON.stringify(withTexts(JSON.parse(json), escapeText)) : json;
}

/** The value of JSON that was escaped. */
export function parseEscapedJson(json: string): unknown {
  const value: unknown = JSON.parse(json);
  return json.includes(MARK_IN_JSON) ? withTexts(value, unescapeText) : value;
}

function withTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => withTexts(item, change));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [change(key), withTexts(item, change)]));
}
