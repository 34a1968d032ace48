import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { cleanFolder, plainEnvironment, typeErrors } from "./clean-folder.ts";
import { readManifest, root } from "./project.ts";

const page = readFileSync(join(root, "docs/temporal-workflows.md"), "utf8");

/** The page's programs, in its order; each is a piece of one. */
const [pluginWorker = "", workflows = "", asAStep = "", lettersWorker = "", singleNodes = ""] = [
  ...page.matchAll(/```ts\n([\s\S]*?)```/gu),
].map(([, program = ""]) => program);

/** A piece as the body of a function below its imports, and what else stands at the top of its file. */
function workflowOf(piece: string, signature: string, { top = "", end = "" } = {}): string {
  const lines = piece.split("\n");
  const imports = lines.filter((line) => line.startsWith("import "));
  const body = lines.filter((line) => !line.startsWith("import ")).join("\n");
  return `${imports.join("\n")}\n${top}\nexport async function ${signature} {\n${body}\n${end}}\n`;
}

const proxies = singleNodes.slice(singleNodes.indexOf("const { write"), singleNodes.indexOf("const { draft"));

/** What the page leaves to its reader. */
const GRAPH = `
import { Annotation, START, StateGraph, interrupt } from "@langchain/langgraph";

const Refund = Annotation.Root({ orderId: Annotation<string>, cents: Annotation<number>, paid: Annotation<number> });
export const refund = new StateGraph(Refund).addNode("pay", ({ cents }) => ({ paid: cents })).addEdge(START, "pay");

const Letter = Annotation.Root({ about: Annotation<string>, draft: Annotation<string>, verdict: Annotation<string> });
export const graph = new StateGraph(Letter)
  .addNode("write", ({ about }) => ({ draft: \`Dear \${about}\` }))
  .addNode("review", ({ draft }) => ({ verdict: \`\${draft}: \${interrupt("Shall we send it?")}\` }))
  .addEdge(START, "write")
  .addEdge("write", "review");
`;

/** A worker of the page, which lives as long as one run of the workflow. */
const worker = (piece: string, given: string, taskQueue: string, workflow: string, args: string) => `
import { fileURLToPath } from "node:url";
import { Client, Connection } from "@temporalio/client";
import { DefaultLogger, NativeConnection, Runtime } from "@temporalio/worker";
${given}
Runtime.install({ logger: new DefaultLogger("ERROR") });
const address = process.env["TEMPORAL_ADDRESS"] ?? "";
const connection = await NativeConnection.connect({ address });
${piece}
const client = new Client({ connection: await Connection.connect({ address }) });
const run = () => client.workflow.execute("${workflow}", { taskQueue: "${taskQueue}", workflowId: "of ${workflow}", args: ${args} });
console.log(JSON.stringify(await worker.runUntil(run)));
await client.connection.close();
await connection.close();
`;

const files: Readonly<Record<string, string>> = {
  "graph.ts": GRAPH,
  "workflows.ts": workflows,
  "my-workflow.ts": workflowOf(asAStep, "myWorkflow(orderId: string): Promise<unknown>"),
  "plugin-worker.ts": worker(
    pluginWorker,
    `import { openCheckpointer } from "perdure/checkpoint";
    import { refund } from "./graph.ts";
    const checkpointer = await openCheckpointer("memory:");
    const activities = {};
    const workflowsPath = fileURLToPath(new URL("workflows.ts", import.meta.url));`,
    "agents",
    "myWorkflow",
    '["A-17"]',
  ),
  "letter.ts": workflowOf(singleNodes.replace(proxies, ""), "letter(about: string): Promise<unknown>", {
    top: `${proxies}\nconst somebodysAnswer = () => Promise.resolve("send it");`,
    end: "return read;\n",
  }),
  "letters-worker.ts": worker(
    lettersWorker,
    `import { Worker } from "@temporalio/worker";
    import { exportActivities } from "perdure/temporal/worker";
    import { graph } from "./graph.ts";
    const workflowsPath = fileURLToPath(new URL("letter.ts", import.meta.url));`,
    "letters",
    "letter",
    '["Ana"]',
  ),
};

describe.skipIf(inject("temporalAddress") === "")(
  "the programs of docs/temporal-workflows.md, from a clean folder",
  () => {
    let place: Awaited<ReturnType<typeof cleanFolder>>;
    beforeAll(async () => {
      place = await cleanFolder(Object.keys(readManifest().peerDependencies));
      for (const [name, text] of Object.entries(files)) await writeFile(join(place.folder, name), text);
    });
    afterAll(() => place?.remove());

    /** Runs a program of the folder to its end. @returns what it printed */
    async function result(program: string): Promise<unknown> {
      const env = plainEnvironment({ TEMPORAL_ADDRESS: inject("temporalAddress") });
      const { stdout } = await promisify(execFile)(process.execPath, [program], { cwd: place.folder, env });
      return JSON.parse(stdout);
    }

    test("are typed", async () => {
      expect(await typeErrors(place.folder)).toBe("");
    });

    test("run a whole graph as a step of a workflow, on a worker with workflows of its own", async () => {
      expect(await result("plugin-worker.ts")).toEqual({ orderId: "A-17", cents: 4000, paid: 4000 });
    });

    test("run single nodes, one of which asks", async () => {
      expect(await result("letters-worker.ts")).toEqual({ verdict: "Dear Ana: send it" });
    });
  },
);
