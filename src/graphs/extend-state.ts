import {
  Annotation,
  type AnnotationRoot,
  BinaryOperatorAggregate,
  ReducedValue,
  type BaseChannel,
  type StateDefinition,
  type StateDefinitionInit,
  StateSchema,
  type StateType,
  type ToStateDefinition,
  type UpdateType,
} from "@langchain/langgraph";
import { withLangGraph } from "@langchain/langgraph/zod";
import { z } from "zod";

import { PerdureError } from "../errors/index.ts";

/** The state a schema describes: an `Annotation.Root`, a zod object or a `StateSchema`. */
export type StateOf<Schema> = StateType<ToStateDefinition<Schema>>;

/** What a node may return to change that state. */
export type UpdateOf<Schema> = UpdateType<ToStateDefinition<Schema>>;

/** A schema's channels with some more; what the schema itself defines comes first. */
export type Extended<Schema, Extra extends StateDefinition> = Flat<
  ToStateDefinition<Schema> & Omit<Extra, keyof ToStateDefinition<Schema>>
>;

type Flat<T> = { [K in keyof T]: T[K] };

/**
 * Adds channels to a state's schema, in the schema's own kind, so that LangGraph goes on checking what the schema
 * checks. A key the schema already has is left as it is.
 *
 * @throws {PerdureError} `OPTIONS_INVALID` if `schema` is none that LangGraph takes.
 */
export function extendState(
  schema: StateDefinitionInit,
  extra: Readonly<Record<string, BaseChannel>>,
): StateDefinitionInit {
  if (typeof schema !== "object" || schema === null) throw noSchema();
  const added = (has: (key: string) => boolean) => Object.entries(extra).filter(([key]) => !has(key));
  if (isAnnotationRoot(schema)) {
    return Annotation.Root({ ...Object.fromEntries(added((key) => key in schema.spec)), ...schema.spec });
  }
  if (StateSchema.isInstance(schema)) {
    const fields = added((key) => key in schema.fields).map(([key, channel]) => [
      key,
      reducedValue(aggregate(key, channel)),
    ]);
    return new StateSchema({ ...Object.fromEntries(fields), ...schema.fields });
  }
  if (isZodObject(schema)) {
    const fields = added((key) => key in schema.shape).map(([key, channel]) => [
      key,
      zodField(aggregate(key, channel)),
    ]);
    return schema.extend(Object.fromEntries(fields));
  }
  throw noSchema();
}

function noSchema(): PerdureError {
  return new PerdureError("OPTIONS_INVALID", "`state` is none of Annotation.Root, a zod 4 object, and StateSchema.", {
    hint: "Define it with one of them.",
  });
}

function reducedValue({ operator, initialValueFactory }: BinaryOperatorAggregate<unknown, unknown>) {
  const value = z.any().default(() => initialValueFactory?.());
  return new ReducedValue(value, { reducer: operator, inputSchema: z.any() });
}

function zodField({ operator, initialValueFactory }: BinaryOperatorAggregate<unknown, unknown>) {
  const reducer = { fn: operator, schema: z.any() };
  return withLangGraph(z.any(), {
    reducer,
    ...(initialValueFactory === undefined ? {} : { default: initialValueFactory }),
  });
}

function aggregate(key: string, channel: BaseChannel): BinaryOperatorAggregate<unknown, unknown> {
  if (channel instanceof BinaryOperatorAggregate) return channel;
  throw new TypeError(`The channel "${key}" has no reducer.`);
}

/** By its form: LangGraph declares the class as exported, but does not export it. */
function isAnnotationRoot(schema: object): schema is AnnotationRoot<StateDefinition> {
  return "lc_graph_name" in schema && schema.lc_graph_name === "AnnotationRoot";
}

/** By its form: the caller's zod may be another copy than ours. */
function isZodObject(schema: object): schema is z.ZodObject {
  return "_zod" in schema && "shape" in schema && "extend" in schema;
}
