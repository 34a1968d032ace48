/**
 * The process that does the work, and may be killed at any moment. It keeps nothing to itself: started
 * again with the same messages, it finds each thread where it was and goes on with it.
 */
import { AIMessageChunk } from "@langchain/core/messages";
import type { BaseMessage } from "@langchain/core/messages";
import { drawGraph } from "perdure/graphs";
import type { CustomerMessage } from "./batch.ts";
import { findThread, openDesk } from "./desk.ts";
import type { Desk, DeskCommand, DeskState } from "./desk.ts";
import { Mailbox } from "./mailbox.ts";
import { openQuestions } from "./open-questions.ts";
import type { Command, WorkerEvent } from "./protocol.ts";
import { summarize } from "./thread-summary.ts";

/** How often a thread is gone on with after a task of it failed, such as for a model that can't be reached. */
const MAX_FAILURES = 2;

const mailboxes = new Map<string, Mailbox>();

process.on("message", (command: Command) => {
  if (command.type === "answer") mailboxes.get(command.threadId)?.put(command.interruptId, command.answer);
  else void work(command); // what it throws ends the process, and the parent says so
});
process.on("disconnect", () => process.exit()); // all is done, or the parent is gone

async function work({ setup, messages }: Extract<Command, { type: "work" }>): Promise<void> {
  const desk = await openDesk(setup, (news) => report({ type: "refund", ...news }));
  report({ type: "graph", drawing: drawGraph(desk.graph, setup.drawing) });
  await Promise.all(messages.map((message) => answerCustomer(desk, message, setup.today)));
  await desk.close();
  process.disconnect();
}

/** Brings one thread to its end, from wherever it is. */
async function answerCustomer(desk: Desk, { threadId, text }: CustomerMessage, today: string): Promise<void> {
  const mailbox = new Mailbox();
  mailboxes.set(threadId, mailbox);
  let failures = 0;
  let state = await findThread(desk, threadId);
  report({ type: "found", threadId, status: state?.status ?? "new", step: state?.step ?? -1, next: state?.next ?? [] });

  state ??= await drive(desk, threadId, { start: { messages: [{ role: "user", content: text }] } });
  if (state.status === "ready" || state.status === "error") state = await drive(desk, threadId, { continue: true });
  for (;;) {
    if (state.status === "interrupted") {
      for (const question of await openQuestions(threadId, state.interrupts, desk.orders, today))
        report({ type: "question", threadId, question });
      state = await drive(desk, threadId, { resume: await mailbox.take() });
    } else if (state.status === "error" && failures++ < MAX_FAILURES) {
      state = await drive(desk, threadId, { continue: true });
    } else {
      return report({ type: "finished", threadId, summary: summarize(state) });
    }
  }
}

/** Drives until nothing can run, and reports what happens meanwhile. */
async function drive(desk: Desk, threadId: string, command: DeskCommand): Promise<DeskState> {
  for await (const event of desk.runner.stream(threadId, command)) {
    if (event.type === "task_start") report({ type: "node", threadId, node: event.node, phase: "start" });
    if (event.type === "task_end") report({ type: "node", threadId, node: event.node, phase: "end" });
    if (event.type === "token" && isSubstance(event)) report({ type: "token", threadId });
    if (event.type === "state") return event.state;
  }
  throw new Error(`The stream of ${threadId} ended without a state.`);
}

/** Streams begin and end with pieces that say nothing. */
function isSubstance({ text, message }: { text: string; message: BaseMessage }): boolean {
  return text !== "" || (AIMessageChunk.isInstance(message) && (message.tool_call_chunks?.length ?? 0) > 0);
}

function report(event: WorkerEvent): void {
  process.send?.(event);
}
