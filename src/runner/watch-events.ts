import { isGraphBubbleUp } from "@langchain/langgraph";
import type { BaseMessage } from "@langchain/core/messages";
import type { DriveWatch } from "./drive-once.ts";
import { interruptId } from "../checkpoint/index.ts";
import { openInterrupt } from "./open-question.ts";
import { graphOfMessage } from "./pregel.ts";
import type { StreamChunk } from "./pregel.ts";
import type { RunEvent } from "./run-event.ts";

type Event = RunEvent<unknown>;

/** Turns what a drive does and streams into events. */
export function watchEvents(emit: (event: Event) => void): DriveWatch {
  const nodes = new Map<string, string>();
  return {
    sink: {
      modes: ["updates", "messages", "custom", "tasks"],
      subgraphs: true,
      push: (chunk) => eventsOf(chunk).forEach(emit),
    },
    started: ({ id, node }) => {
      nodes.set(id, node);
      emit({ type: "task_start", node, namespace: [], taskId: id });
    },
    ended: ({ id, node }, error) => {
      emit({ type: "task_end", node, namespace: [], taskId: id, ...failure(error) });
    },
    asked: ({ taskId, namespace, answersBefore, interrupt }) => {
      const node = namespace === "" ? nodes.get(taskId) : namespace.split("|")[0]?.split(":")[0];
      const open = openInterrupt(interruptId(taskId, answersBefore), node ?? "", interrupt);
      emit({ type: "interrupt", interrupt: namespace === "" ? open : { ...open, namespace } });
    },
  };
}

function eventsOf([namespace, mode, payload]: StreamChunk): Event[] {
  if (mode === "custom") return [{ type: "custom", namespace, value: payload }];
  if (mode === "messages") return tokens(namespace, payload as [BaseMessage, Readonly<Record<string, unknown>>]);
  if (mode === "updates") return updates(namespace, payload as Readonly<Record<string, unknown>>);
  // the root's tasks are told by the gate: LangGraph announces those that it then turns away as well
  return mode === "tasks" && namespace.length > 0 ? tasks(namespace, payload as TaskPayload) : [];
}

function tokens(
  namespace: readonly string[],
  [message, metadata]: [BaseMessage, Readonly<Record<string, unknown>>],
): Event[] {
  if (message.getType() !== "ai") return []; // LangGraph also tells of messages that nodes return
  const source = { node: String(metadata["langgraph_node"]), namespace: graphOfMessage(namespace, metadata) };
  return [{ type: "token", ...source, text: message.text, message }];
}

function updates(namespace: readonly string[], payload: Readonly<Record<string, unknown>>): Event[] {
  // LangGraph repeats what finished siblings wrote before, and tells of interrupts without their ids
  const { __metadata__: metadata, __interrupt__: _, ...byNode } = payload;
  if ((metadata as { cached?: boolean } | undefined)?.cached === true) return [];
  return Object.entries(byNode).flatMap(([node, update]): Event[] =>
    update === null || update === undefined || isOwnCall(node) ? [] : [{ type: "update", node, namespace, update }],
  );
}

interface TaskPayload {
  readonly id: string;
  readonly name: string;
  readonly error?: unknown;
  readonly input?: unknown;
}

function tasks(namespace: readonly string[], payload: TaskPayload): Event[] {
  if (isOwnCall(payload.name)) return [];
  const source = { node: payload.name, namespace, taskId: payload.id };
  return "input" in payload
    ? [{ type: "task_start", ...source }]
    : [{ type: "task_end", ...source, ...failure(payload.error) }];
}

function failure(error: unknown): { error?: { name: string; message: string } } {
  if (error === undefined || error === null || isGraphBubbleUp(error)) return {}; // H11
  if (error instanceof Error) return { error: { name: error.name, message: error.message } };
  const { name = "Error", message = String(error) } = error as { name?: string; message?: string };
  return { error: { name, message } };
}

/** What `once`, a due date or an approval notes by LangGraph's `task`, which is no node of the graph. */
function isOwnCall(name: string): boolean {
  return /^(once|due|asked)\(/.test(name);
}
