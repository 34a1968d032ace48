/** The files the desk works on: the customers' messages, and the decisions that `--yes` makes. */
import { readFileSync } from "node:fs";
import { z } from "zod";

const batch = z.object({
  receivedOn: z.iso.date(),
  messages: z
    .array(z.object({ threadId: z.string().min(1), customer: z.string().min(1), text: z.string().min(1) }))
    .min(1),
});

/** What came in on one day. Each message is answered on a thread of its own. */
export type Batch = z.output<typeof batch>;
export type CustomerMessage = Batch["messages"][number];

const exception = z.discriminatedUnion("type", [
  z.object({ type: z.literal("reject"), orderId: z.string(), comment: z.string() }),
  z.object({ type: z.literal("edit"), orderId: z.string(), comment: z.string(), amountCents: z.int().min(1) }),
]);

const decisions = z.object({ decidedBy: z.string(), exceptions: z.array(exception) });

/** Which refunds are not approved as they are asked for. */
export type DecisionRules = z.output<typeof decisions>;

/** messages.json. */
export function readBatch(): Batch {
  return batch.parse(readJson("messages.json"));
}

/** decisions.json. */
export function readDecisionRules(): DecisionRules {
  return decisions.parse(readJson("decisions.json"));
}

function readJson(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
}
