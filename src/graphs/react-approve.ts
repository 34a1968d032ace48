import type { ToolCall } from "@langchain/core/messages";
import type { StructuredToolInterface } from "@langchain/core/tools";

import { PerdureError, show } from "../errors/index.ts";
import { type NodeTraits, readNodeTraits } from "../nodes/index.ts";
import type { RouterState } from "./capped-edge.ts";
import type { OpenCall } from "./open-calls.ts";
import type { ActInput, ToolApproval } from "./react-act.ts";

/** Which calls a person is asked about first: tools by name, or a function that says so for a call. */
export type Approve =
  | readonly string[]
  | ((call: ToolCall, state: RouterState) => boolean | ToolApproval | Promise<boolean | ToolApproval>);

/** The task of a call: with what a person is asked, if one is. */
export async function task(call: OpenCall, state: RouterState, approve: Approve | undefined): Promise<ActInput> {
  if (call.problem !== undefined || approve === undefined) return call;
  const asked =
    typeof approve === "function" ? await approve(call.toolCall, state) : approve.includes(call.toolCall.name);
  if (asked === false) return call;
  // A path of the function that returns nothing must not let a call through.
  if (asked !== true && (typeof asked !== "object" || asked === null)) {
    throw new PerdureError(
      "GRAPH_INVALID",
      `\`approve\` returned ${show(asked)} for a call of "${call.toolCall.name}".`,
      {
        hint: "Return true, false, or how the person is to be asked. Nothing was run.",
      },
    );
  }
  return { ...call, approval: asked === true ? {} : asked };
}

/** Refuses names that are no tools. */
export function refuseUnknownTools(tools: readonly StructuredToolInterface[], approve: Approve | undefined): void {
  if (approve === undefined || typeof approve === "function") return;
  const unknown = approve.find((name) => !tools.some((tool) => tool.name === name));
  if (unknown === undefined) return;
  throw new PerdureError(
    "OPTIONS_INVALID",
    `reactGraph: option \`approve\` names "${unknown}", which is none of its tools.`,
    {
      hint: `Tools there are: ${tools.map(({ name }) => name).join(", ") || "none"}.`,
    },
  );
}

/** Refuses irreversible tools that could run without an approval and can't be undone. */
export function refuseUnguardedTools(tools: readonly StructuredToolInterface[], approve: Approve | undefined): void {
  if (typeof approve === "function") return;
  const unguarded = tools.filter(
    (tool) => isIrreversible(tool) && !isCompensated(tool, tools) && approve?.includes(tool.name) !== true,
  );
  if (unguarded.length === 0) return;
  const names = unguarded.map(({ name }) => `"${name}"`).join(", ");
  throw new PerdureError(
    "GRAPH_UNSAFE",
    `reactGraph: the irreversible ${names} may run without an approval and without a compensation.`,
    {
      hint: "Name it in `approve`, or name the tool that undoes it in its effect's `compensate`.",
    },
  );
}

/** What the node "act" can do at worst, as the checker and the drawing see it. */
export function actTraits(tools: readonly StructuredToolInterface[], approve: Approve | undefined): NodeTraits {
  const effects = tools.map((tool) => traitsOf(tool).effect);
  const effect = (["irreversible", "idempotent", "none"] as const).find((worst) => effects.includes(worst));
  const approval = typeof approve === "function" || (approve ?? []).length > 0;
  // A compensating tool is run by this very node.
  const compensate = effect === "irreversible" && !approval ? { compensate: "act" } : {};
  return { ...(effect === undefined ? {} : { effect }), ...(approval ? { approval } : {}), ...compensate };
}

function isIrreversible(tool: StructuredToolInterface): boolean {
  return traitsOf(tool).effect === "irreversible";
}

function isCompensated(tool: StructuredToolInterface, tools: readonly StructuredToolInterface[]): boolean {
  const { compensate } = traitsOf(tool);
  return compensate !== undefined && compensate !== tool.name && tools.some(({ name }) => name === compensate);
}

function traitsOf(tool: object): NodeTraits {
  return readNodeTraits("metadata" in tool ? tool.metadata : undefined);
}
