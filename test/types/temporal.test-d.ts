import type { BaseMessageLike } from "@langchain/core/messages";
import { Annotation, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";
import { exportActivities } from "perdure/temporal/worker";
import type { ExportedActivities, NodeQuestion } from "perdure/temporal/worker";
import { expectTypeOf, test } from "vitest";

const Desk = Annotation.Root({
  ...MessagesAnnotation.spec,
  title: Annotation<string>,
  notes: Annotation<string[], string | string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});
const graph = new StateGraph(Desk)
  .addNode("read", () => ({ notes: "read" }))
  .addNode("reply", () => ({ title: "done" }))
  .addEdge(START, "read")
  .addEdge("read", "reply");

test("exported activities have the graph's nodes, take its state, and return an update or questions", async () => {
  const activities = exportActivities(graph);
  expectTypeOf(activities).toEqualTypeOf<ExportedActivities<typeof graph>>();
  expectTypeOf<keyof typeof activities>().toEqualTypeOf<"read" | "reply">();
  const result = await activities.read(
    { title: "a", notes: ["b"], messages: [["user", "hi"]] },
    { answers: [true], context: { user: "ann" } },
  );
  expectTypeOf(result.title).toEqualTypeOf<string | undefined>();
  expectTypeOf(result.messages).toEqualTypeOf<readonly BaseMessageLike[] | undefined>();
  if (result.interrupts === undefined) expectTypeOf(result.title).toEqualTypeOf<string | undefined>();
  else expectTypeOf(result.interrupts).toEqualTypeOf<readonly NodeQuestion[]>();
  await activities.reply({ messages: result.messages ?? [] });

  // @ts-expect-error no such node
  void activities.rely;
  // @ts-expect-error no such key of the state
  void activities.read({ tilte: "a" });
  // @ts-expect-error the title is text
  void activities.read({ title: 7 });
  // @ts-expect-error answers are a list, in the order of the questions
  void activities.read({}, { answers: { some: "yes" } });
});
