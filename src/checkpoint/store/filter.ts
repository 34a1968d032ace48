import { isDeepStrictEqual } from "node:util";
import { compareText } from "./compare-text.ts";
import { invalidOperation } from "./invalid-operation.ts";

/** What a field of an item must be. Operands are values of JSON; undefined stands for a field that is absent. */
export type Condition =
  | { readonly field: string; readonly operator: "$eq" | "$ne"; readonly operand: unknown }
  | { readonly field: string; readonly operator: OrderOperator; readonly operand: number | string }
  | { readonly field: string; readonly operator: "$in" | "$nin"; readonly operand: readonly unknown[] };

/** Numbers are compared with numbers and texts with texts; nothing else has an order. */
export type OrderOperator = "$gt" | "$gte" | "$lt" | "$lte";

const OPERATORS = new Set(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin"]);

/**
 * Reads the filter of a search.
 * @throws STORE_OPERATION_INVALID for an operator that does not exist or an operand it cannot take
 */
export function parseFilter(filter: unknown): Condition[] {
  if (filter === undefined || filter === null) return [];
  if (typeof filter !== "object" || Array.isArray(filter)) {
    throw invalidOperation("the filter is no object", 'Give fields and what they must be: { kind: "fact" }.');
  }
  return Object.entries(filter).flatMap(([field, wanted]) => {
    if (!isOperators(wanted)) return { field, operator: "$eq", operand: toJson(field, wanted) };
    return Object.entries(wanted).map(([operator, operand]) => conditionOf(field, operator, operand));
  });
}

/** Whether an object of JSON fulfils all conditions. */
export function fulfils(value: Readonly<Record<string, unknown>>, conditions: readonly Condition[]): boolean {
  return conditions.every((condition) => {
    const { field, operator, operand } = condition;
    const found = Object.hasOwn(value, field) ? value[field] : undefined;
    switch (operator) {
      case "$eq":
        return isDeepStrictEqual(found, operand);
      case "$ne":
        return !isDeepStrictEqual(found, operand);
      case "$in":
        return operand.some((one) => isDeepStrictEqual(found, one));
      case "$nin":
        return !operand.some((one) => isDeepStrictEqual(found, one));
      case "$gt":
      case "$gte":
      case "$lt":
      case "$lte": {
        const order = orderOf(found, operand);
        return order !== undefined && isInOrder(order, operator);
      }
    }
  });
}

function conditionOf(field: string, operator: string, operand: unknown): Condition {
  switch (operator) {
    case "$eq":
    case "$ne":
      return { field, operator, operand: toJson(field, operand) };
    case "$gt":
    case "$gte":
    case "$lt":
    case "$lte": {
      const json = toJson(field, operand);
      if (typeof json === "number" || typeof json === "string") return { field, operator, operand: json };
      throw invalidOperation(`${operator} of "${field}" is neither a number nor a text`, "Nothing else has an order.");
    }
    case "$in":
    case "$nin":
      if (Array.isArray(operand)) return { field, operator, operand: operand.map((one) => toJson(field, one)) };
      throw invalidOperation(`${operator} of "${field}" is no array`, "Give it an array of values.");
    default:
      throw invalidOperation(
        `the filter of "${field}" has no operator ${operator}`,
        `There are ${[...OPERATORS].join(", ")}. { $ne: undefined } finds items that have the field.`,
      );
  }
}

/** An object with an operator in it is not a value to compare with. */
function isOperators(wanted: unknown): wanted is Record<string, unknown> {
  if (typeof wanted !== "object" || wanted === null || Array.isArray(wanted)) return false;
  return Object.keys(wanted).some((key) => key.startsWith("$"));
}

/** The operand as it would have been stored: a Date, say, as its text. */
function toJson(field: string, operand: unknown): unknown {
  if (operand === undefined) return undefined;
  let json: string | undefined;
  try {
    json = JSON.stringify(operand) as string | undefined;
  } catch {
    // A bigint, or something that refers to itself.
  }
  if (json !== undefined) return JSON.parse(json);
  throw invalidOperation(
    `the filter of "${field}" is no value of JSON`,
    "Items hold JSON, so nothing could be like it.",
  );
}

function orderOf(found: unknown, operand: number | string): number | undefined {
  if (typeof found === "number" && typeof operand === "number") return found - operand;
  if (typeof found === "string" && typeof operand === "string") return compareText(found, operand);
  return undefined;
}

function isInOrder(order: number, operator: OrderOperator): boolean {
  switch (operator) {
    case "$gt":
      return order > 0;
    case "$gte":
      return order >= 0;
    case "$lt":
      return order < 0;
    case "$lte":
      return order <= 0;
  }
}
