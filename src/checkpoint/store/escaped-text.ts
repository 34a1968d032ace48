/**
 * Stands before the four hex digits of a character that a database refuses: a NUL, which Postgres has no place
 * for, or a half of a surrogate pair, which has no UTF-8. Escaped itself, it is always followed by a hex digit.
 */
export const MARK = "\ue000";

const REFUSED = /[\0\ue000\p{Surrogate}]/gu;
const ESCAPED = /\ue000([0-9a-f]{4})/gu;
/** As JSON writes them; also found in a text that only looks like it. */
const REFUSED_IN_JSON = /\\u(?:0000|d[89a-f])|\ue000/u;

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
  return json.includes(MARK) ? withTexts(value, unescapeText) : value;
}

function withTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === "string") return change(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => withTexts(item, change));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [change(key), withTexts(item, change)]));
}
