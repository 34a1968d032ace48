import { parseOptions } from "../errors/index.ts";
import { z } from "zod";

/** What running a node does to the world outside of the state. */
export type Effect = "none" | "idempotent" | "irreversible";

/** What a node, or a tool, says about itself; read by the graph checker and drawn in the graph. */
export interface NodeTraits {
  /** Nothing; something that may be done twice; something that can't be taken back. */
  readonly effect?: Effect;
  /** The node that undoes the effect. */
  readonly compensate?: string;
  /** Whether it asks a person before it goes on. */
  readonly approval?: boolean;
  /** Whether its edges are followed after a no as after a yes, so that its approval guards nothing but itself. */
  readonly goesOnAfterNo?: boolean;
  /** How often it may run in one turn. */
  readonly cap?: number;
}

/** Options for LangGraph's `addNode` that carry traits. */
export interface TraitOptions {
  metadata: { perdure: NodeTraits };
}

const EffectSchema = z.enum(["none", "idempotent", "irreversible"]);
const Traits = z.object({
  effect: EffectSchema.optional(),
  compensate: z.string().min(1).optional(),
  approval: z.boolean().optional(),
  goesOnAfterNo: z.boolean().optional(),
  cap: z.int().min(1).optional(),
});

/**
 * Says what a node's effect is: `graph.addNode("refund", refund, effect("irreversible", { compensate: "undo" }))`.
 * Spread it beside other options, or into a tool's fields. `none`: nothing outside of the state;
 * `idempotent`: may be done twice; `irreversible`: can't be taken back.
 * @throws PerdureError `OPTIONS_INVALID`
 */
export function effect(effect: Effect, options: { readonly compensate?: string } = {}): TraitOptions {
  parseOptions("effect", z.object({ effect: EffectSchema }), { effect });
  return nodeTraits({ effect, ...options });
}

/** Options for LangGraph's `addNode` that carry any traits, such as `{ approval: true }`. */
export function nodeTraits(traits: NodeTraits): TraitOptions {
  return { metadata: { perdure: parseOptions("nodeTraits", Traits, traits) as NodeTraits } };
}

/** Reads the traits out of a node's or a tool's `metadata`; empty when it says nothing. */
export function readNodeTraits(metadata: unknown): NodeTraits {
  if (typeof metadata !== "object" || metadata === null || !("perdure" in metadata)) return {};
  const parsed = Traits.safeParse(metadata.perdure);
  return parsed.success ? (parsed.data as NodeTraits) : {};
}
