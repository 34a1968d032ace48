import type { TestProject } from "vitest/node";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleGraphWorkflows } from "../../src/temporal-bridge/worker/index.ts"; // a set-up is loaded without the condition that leads the name there
import { startTemporal } from "./temporal-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Host and port of the Temporal server of this test run; `""` if there is none, and then its tests are skipped. */
    temporalAddress: string;
    /** The bundle of the workflow, made once. */
    workflowBundlePath: string;
  }
}

/**
 * Gives the whole run one Temporal server: the one `TEMPORAL_ADDRESS` names, else a development server of its own.
 * Without either, tests that need Temporal are skipped; with `CI=true` that is an error instead.
 */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  try {
    const given = process.env.TEMPORAL_ADDRESS;
    const server = given ? undefined : await startTemporal();
    project.provide("temporalAddress", given || (server?.address ?? ""));
    const folder = await mkdtemp(join(tmpdir(), "perdure-bundle-"));
    const path = join(folder, "workflows.js");
    await writeFile(path, (await bundleGraphWorkflows()).code);
    project.provide("workflowBundlePath", path);
    return async () => {
      await server?.stop();
      await rm(folder, { recursive: true });
    };
  } catch (error) {
    if (process.env.CI === "true") throw error;
    project.provide("temporalAddress", "");
    project.provide("workflowBundlePath", "");
    console.warn(`Tests that need Temporal are skipped: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
