import type { ToolCall, ToolMessage } from "@langchain/core/messages";
import type { StructuredToolInterface } from "@langchain/core/tools";
import { toJsonSchema } from "@langchain/core/utils/json_schema";
import { type Command, isCommand, type LangGraphRunnableConfig } from "@langchain/langgraph";

import {
  type AnswerSchema,
  type ApprovalRequest,
  type Decision,
  type DecisionRecord,
  requestApproval,
  type ToolErrorPolicy,
  toolNode,
} from "../nodes/index.ts";
import { refusal, type OpenCall } from "./open-calls.ts";

/** How a tool call is put to a person: who is asked, until when, and what they may decide. */
export type ToolApproval = Omit<ApprovalRequest<never>, "actions"> & {
  /** What a person should know to decide. @default the tool's description */
  readonly description?: string;
  /** What may be decided. @default approve, edit and reject */
  readonly allowedDecisions?: readonly Decision["type"][];
};

/** One task of the node "act": a call, and whether a person is to be asked first. */
export interface ActInput extends OpenCall {
  readonly approval?: ToolApproval;
}

/**
 * The node "act": runs one tool call, after an approval if its task says so. A rejected call becomes a `ToolMessage`
 * that says so, an edited one runs with the edited arguments; the message answers the call's own id in each case.
 */
export function actNode(tools: readonly StructuredToolInterface[], onError?: ToolErrorPolicy) {
  const runCall = toolNode({ tools, ...(onError === undefined ? {} : { onError }) });
  const byName = new Map(tools.map((tool) => [tool.name, tool]));

  return async ({ toolCall, approval, problem, ...state }: ActInput, config: LangGraphRunnableConfig) => {
    const id = config.executionInfo?.taskId;
    if (problem !== undefined) {
      return {
        messages: [
          named(refusal(toolCall, `The call could not be read: ${problem} Call it again with valid JSON.`), id),
        ],
      };
    }
    let call = toolCall;
    let note = "";
    let records: readonly DecisionRecord[] = [];
    if (approval !== undefined) {
      const asked = await askFor(toolCall, byName.get(toolCall.name), approval);
      records = asked.records;
      if (asked.decision.type === "reject") {
        const reason = asked.decision.message ?? "They gave no reason.";
        return {
          messages: [named(refusal(toolCall, `A person rejected this call. ${reason}`), id)],
          decisions: records,
        };
      }
      if (asked.decision.type === "edit") {
        call = { ...toolCall, args: asked.decision.editedAction.args };
        note = `A person changed the arguments to ${JSON.stringify(call.args)} before it ran.\n`;
      }
    }
    const result = await runCall({ toolCall: call, ...state }, config);
    if (isCommand(result)) return records.length === 0 ? result : [result as Command, { decisions: records }];
    const messages = (result as { messages: ToolMessage[] }).messages.map((message) => named(noted(message, note), id));
    return { messages, ...(records.length === 0 ? {} : { decisions: records }) };
  };
}

async function askFor(
  { name, args }: ToolCall,
  tool: StructuredToolInterface | undefined,
  { description = tool?.description, allowedDecisions, ...request }: ToolApproval,
): Promise<{ decision: Decision; records: readonly DecisionRecord[] }> {
  const argsSchema = argsSchemaOf(tool);
  const action = {
    name,
    args,
    ...(description === undefined ? {} : { description }),
    ...(allowedDecisions === undefined ? {} : { allowedDecisions }),
    ...(argsSchema === undefined ? {} : { argsSchema }),
  };
  const { decisions, records } = await requestApproval({ ...request, actions: [action] });
  return { decision: decisions[0] ?? { type: "reject" }, records };
}

/** The JSON schema a person's edit is checked by; a schema that has no such form is checked when the tool runs. */
function argsSchemaOf(tool: StructuredToolInterface | undefined): AnswerSchema | undefined {
  if (tool === undefined) return undefined;
  try {
    return toJsonSchema(tool.schema as Parameters<typeof toJsonSchema>[0]) as AnswerSchema;
  } catch {
    return undefined;
  }
}

/** LangGraph would give it a random id each time it applies the write; the task's is the same in each process. */
function named(message: ToolMessage, id: string | undefined): ToolMessage {
  if (message.id !== undefined || id === undefined) return message;
  message.id = id;
  message.lc_kwargs["id"] = id; // what is stored is what stands there
  return message;
}

function noted(message: ToolMessage, note: string): ToolMessage {
  if (note !== "")
    message.content =
      typeof message.content === "string" ? note + message.content : [{ type: "text", text: note }, ...message.content];
  return message;
}
