import { escapeJson, escapeText } from "./escaped-text.ts";
import type { Condition, OrderOperator } from "./filter.ts";

/** The values of a statement, as they are met. */
export class SqlParameters {
  readonly values: unknown[] = [];

  /** @returns its placeholder */
  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

const COMPARISON: Record<OrderOperator, string> = { $gt: ">", $gte: ">=", $lt: "<", $lte: "<=" };

/**
 * A condition on the column `value`, in Postgres. Means what `fulfils` means: what is absent is NULL, which
 * JSON's null is not.
 */
export function conditionSql({ field, operator, operand }: Condition, parameters: SqlParameters): string {
  const name = `${parameters.add(escapeText(field))}::text`;
  const found = `(value -> ${name})`;
  switch (operator) {
    case "$eq":
      return operand === undefined ? `${found} IS NULL` : `${found} = ${jsonb(operand, parameters)}`;
    case "$ne":
      return operand === undefined ? `${found} IS NOT NULL` : `${found} IS DISTINCT FROM ${jsonb(operand, parameters)}`;
    case "$in":
      return isOneOf(found, operand, parameters);
    case "$nin":
      return `(${isOneOf(found, operand, parameters)}) IS NOT TRUE`;
    case "$gt":
    case "$gte":
    case "$lt":
    case "$lte": {
      const comparison = COMPARISON[operator];
      // jsonb orders values of different types too, and texts by the language of the database.
      if (typeof operand === "number") {
        return `(jsonb_typeof(${found}) = 'number' AND ${found} ${comparison} ${jsonb(operand, parameters)})`;
      }
      const text = `${parameters.add(escapeText(operand))}::text`;
      return `(jsonb_typeof(${found}) = 'string' AND (value ->> ${name}) ${comparison} ${text} COLLATE "C")`;
    }
  }
}

function isOneOf(found: string, operands: readonly unknown[], parameters: SqlParameters): string {
  const present = operands.filter((operand) => operand !== undefined);
  const list = `${found} IN (SELECT jsonb_array_elements(${jsonb(present, parameters)}))`;
  return present.length === operands.length ? list : `(${found} IS NULL OR ${list})`;
}

/** Through text, so that no driver takes a text for JSON that it has to write itself. */
function jsonb(value: unknown, parameters: SqlParameters): string {
  return `${parameters.add(escapeJson(JSON.stringify(value)))}::text::jsonb`;
}
