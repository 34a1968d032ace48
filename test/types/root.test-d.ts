import { createRunner, dag } from "perdure";
import type { Answers, ApprovalAnswer, ApprovalQuestion, Checkpointer, Decision } from "perdure";
import { Annotation } from "@langchain/langgraph";
import { expectTypeOf, test } from "vitest";

declare const checkpointer: Checkpointer;

test("the root has what it takes to read an approval's question and to write its answer", async () => {
  const state = Annotation.Root({ paid: Annotation<boolean>() });
  const graph = dag({ state, nodes: { pay: { approve: () => ({}), run: () => ({ paid: true }) } } });
  const runner = createRunner(graph, { name: "pay", checkpointer });

  const decide = ({ actionRequests }: ApprovalQuestion): ApprovalAnswer => ({
    decisions: actionRequests.map((): Decision => ({ type: "reject", message: "not today" })),
    decidedBy: "ana",
  });
  for (const interrupt of (await runner.inspect("t")).interrupts) {
    if (interrupt.kind !== "approval") continue;
    expectTypeOf(interrupt.value).toEqualTypeOf<ApprovalQuestion>();
    const answers: Answers = { [interrupt.id]: decide(interrupt.value) };
    void runner.resume("t", answers);
  }

  // @ts-expect-error an answer decides
  const empty: ApprovalAnswer = { decidedBy: "ana" };
  // @ts-expect-error there is no such decision
  const odd: Decision = { type: "maybe" };
  void [empty, odd];
});
