/** One run of the desk on Temporal: the servers it needs are started, the work is done, and everything is removed. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { bundleGraphWorkflows } from "perdure/temporal/worker";
import { startPostgres } from "../../test/support/postgres.ts";
import { startTemporal } from "../../test/support/temporal-server.ts";
import { attend } from "../support-desk/attend.ts";
import type { CommonOptions } from "../support-desk/command-line.ts";
import { startModelServer } from "../support-desk/model-server.ts";
import { UnusablePlace, reasonOf } from "../support-desk/sql.ts";
import { workThroughTwoCrashes } from "./two-crashes.ts";

/** How long a refund waits for whoever is there: a script that answers in time unless it is told not to, or a person. */
const SCRIPT_HAS_MS = 4_000;
const PERSON_HAS_MS = 10_000;
const TEAM_LEAD_HAS_MS = 24 * 3_600_000;

/** @returns whether every thread is done and every approved refund was made exactly once */
export async function runTemporalDesk(options: CommonOptions): Promise<boolean> {
  await using opened = new AsyncDisposableStack();
  const model = await startModelServer(options.model);
  opened.defer(() => model.close());
  const folder = await mkdtemp(path.join(tmpdir(), "perdure-temporal-desk-"));
  opened.defer(() => rm(folder, { recursive: true, force: true }));

  console.error("Starting Temporal and Postgres …");
  const [temporal, postgres] = await Promise.all([
    started(opened, "Temporal", startTemporal({ databaseFile: path.join(folder, "temporal.db") })),
    started(opened, "Postgres", startPostgres()),
  ]);
  const bundlePath = path.join(folder, "workflow.js");
  await writeFile(bundlePath, (await bundleGraphWorkflows()).code);

  const approval = {
    expiresInMs: options.yes ? SCRIPT_HAS_MS : PERSON_HAS_MS,
    onExpiry: { escalateTo: "the team lead", expiresInMs: TEAM_LEAD_HAS_MS },
  };
  return await attend({ options, database: { postgres: postgres.url }, model, approval }, (shift) =>
    workThroughTwoCrashes(shift, { temporal, bundlePath, isScripted: options.yes }),
  );
}

/**
 * Waits for a server, which stops with `opened`: also one that comes up when the start of another has failed.
 * @throws UnusablePlace
 */
async function started<Server extends { stop(): Promise<void> }>(
  opened: AsyncDisposableStack,
  name: string,
  starting: Promise<Server>,
): Promise<Server> {
  opened.defer(async () => {
    const server = await starting.catch(() => undefined);
    await server?.stop();
  });
  try {
    return await starting;
  } catch (cause) {
    throw new UnusablePlace(`${name} could not be started: ${reasonOf(cause)}.`, { cause });
  }
}
