import { readFile, readdir, writeFile } from "node:fs/promises";
import type { WorkflowHandle } from "@temporalio/client";
import { Worker } from "@temporalio/worker";
import { inject } from "vitest";

const folder = new URL("./histories/", import.meta.url);

/** The histories of a run, one for each of its chain, as JSON without what tells where they were made. */
export async function historiesOf(handle: (runId?: string) => WorkflowHandle, firstRunId: string): Promise<string[]> {
  const histories: string[] = [];
  for (let runId: string | null | undefined = firstRunId; runId;) {
    const history = await handle(runId).fetchHistory();
    const events = (history.events ?? []).map((event) => JSON.stringify(plain(event)));
    histories.push(`{"events":[\n${events.join(",\n")}\n]}`);
    runId = history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
  return histories;
}

/** Runs our workflow over a history. @throws DeterminismViolationError when it would do something else than it did */
export function replay(history: string): Promise<void> {
  const workflowBundle = { codePath: inject("workflowBundlePath") };
  return Worker.runReplayHistory({ workflowBundle }, JSON.parse(history, fromText));
}

/** The histories that are kept in the repository, by name. */
export async function keptHistories(): Promise<Map<string, string>> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).toSorted();
  const texts = names.map(async (name) => [name, await readFile(new URL(name, folder), "utf8")] as const);
  return new Map(await Promise.all(texts));
}

/**
 * Keeps a history in the repository: `PERDURE_KEEP_HISTORIES=1 npx vitest run test/temporal-bridge/deploys.test.ts`. Once a
 * release has made such histories they stay as they are, and later ones get names of their own.
 */
export async function keepHistory(name: string, history: string): Promise<void> {
  await writeFile(new URL(`${name}.json`, folder), `${history}\n`);
}

/** Who made it, and where, is nobody's business. */
const ANONYMOUS: Readonly<Record<string, unknown>> = {
  identity: "worker",
  stackTrace: "",
  workerVersion: undefined,
  meteringMetadata: undefined,
  stickyAttributes: undefined,
};
const STICKY_QUEUE = 2;

/**
 * A message of Temporal's protocol as JSON, bytes as the text they are here. Not Temporal's own `historyToJSON`: where npm
 * installs two copies of protobufjs, that throws.
 */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return { $text: Buffer.from(value).toString() };
  if ("toNumber" in value && typeof value.toNumber === "function") return value.toNumber() as unknown;
  if (Array.isArray(value)) return value.map(plain);
  if ("kind" in value && value.kind === STICKY_QUEUE && "name" in value) return { name: "sticky", kind: STICKY_QUEUE };
  const fields = Object.entries(value).filter(([, field]) => field !== null && field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name, name in ANONYMOUS ? ANONYMOUS[name] : plain(field)]));
}

function fromText(_key: string, value: unknown): unknown {
  const isText = typeof value === "object" && value !== null && "$text" in value;
  return isText ? Buffer.from(String(value.$text)) : value;
}
