// A workflow of your own around the nodes of a graph. It runs in Temporal's sandbox, so of the graph it imports the type only.
import { condition, defineQuery, defineSignal, proxyActivities, setHandler } from "@temporalio/workflow";
import type { ExportedActivities, NodeQuestion } from "perdure/temporal/worker";
import type { letterGraph } from "./letter-graph.ts";

const { lookUp, write, review } = proxyActivities<ExportedActivities<ReturnType<typeof letterGraph>>>({
  startToCloseTimeout: "1 minute",
  heartbeatTimeout: "10 seconds",
});

export const openQuestion = defineQuery<NodeQuestion | undefined>("openQuestion");
export const decide = defineSignal<[unknown]>("decide");

/** Has a letter written until somebody says that it can be sent; without a word for two days it stays a draft. */
export async function letter(about: string): Promise<{ readonly sent: boolean; readonly draft: string }> {
  let asked: NodeQuestion | undefined;
  let answers: unknown[] = [];
  setHandler(openQuestion, () => asked);
  setHandler(decide, (answer) => void answers.push(answer));

  const { address = "" } = await lookUp({ about });
  let remark = "";
  for (;;) {
    const { draft = "" } = await write({ about, address, remark });
    answers = [];
    let read = await review({ draft });
    while (read.interrupts !== undefined) {
      [asked] = read.interrupts;
      const before = answers.length;
      if (!(await condition(() => answers.length > before, "2 days"))) return { sent: false, draft };
      asked = undefined;
      read = await review({ draft }, { answers });
    }
    if (read.verdict === "send") return { sent: true, draft };
    remark = read.remark ?? "";
  }
}
