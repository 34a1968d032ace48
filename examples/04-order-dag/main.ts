// Orders through a graph of dependencies: one that goes well, one whose payment a person rejects, one that is out of stock.
import assert from "node:assert/strict";
import { openCheckpointer } from "perdure/checkpoint";
import { drawGraph } from "perdure/graphs";
import { createRunner } from "perdure/runner";
import { orderGraph } from "./order-graph.ts";
import type { Shop } from "./order-graph.ts";

const shop: Shop = {
  stock: new Map([["kettle", 1]]),
  payments: new Map(),
  checkCredit: (orderId) =>
    orderId === "A-1" ? Promise.resolve("good") : Promise.reject(new Error("the credit bureau does not answer")),
};
const graph = orderGraph(shop);
console.log(drawGraph(graph));

const orders = createRunner(graph, { name: "orders", checkpointer: await openCheckpointer("sqlite::memory:") });
const kettle = { sku: "kettle", cents: 3900 };

// A-1 is rejected: what was reserved for it is released again.
const asked = await orders.start("A-1", { orderId: "A-1", ...kettle });
const [question] = asked.interrupts;
assert(question?.kind === "approval");
console.log("\nA-1 asks:", question.value.actionRequests[0]?.args);
const rejected = await orders.resume("A-1", { answer: { decisions: [{ type: "reject", message: "too odd" }] } });
console.log("A-1:", rejected.values.log.join(", "));
assert.deepEqual(whatFailed(rejected.values.failures), [
  "payment failed",
  "fulfil stopped",
  "notify stopped",
  "inventory undone",
]);
assert.equal(shop.stock.get("kettle"), 1);
assert.equal(shop.payments.size, 0);

// A-2 is approved, though nobody knows its credit: the fallback says so, and the person saw it.
await orders.start("A-2", { orderId: "A-2", ...kettle });
const paid = await orders.resume("A-2", { answer: { decisions: [{ type: "approve" }], decidedBy: "ana" } });
console.log("A-2:", paid.values.log.join(", "));
assert.equal(paid.values.rating, "unknown");
assert.equal(paid.values.log.at(-1), "told the customer of A-2");
assert.deepEqual([...shop.payments.values()], [3900]);

// A-3 finds the shelf empty: nothing after inventory runs, and the report says why.
const empty = await orders.start("A-3", { orderId: "A-3", ...kettle });
console.log("A-3:", whatFailed(empty.values.failures).join(", "));
assert.equal(empty.status, "done");
assert.deepEqual(whatFailed(empty.values.failures), [
  "inventory failed",
  "payment stopped",
  "fulfil stopped",
  "notify stopped",
]);

function whatFailed(failures: readonly { node: string; status: string }[]): string[] {
  return failures.map(({ node, status }) => `${node} ${status}`);
}
