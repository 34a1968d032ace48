import type { TestProject } from "vitest/node";
import { startPostgres } from "./postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** The Postgres server of this test run; `""` if there is none, and then its tests are skipped. */
    postgresUrl: string;
  }
}

/**
 * Gives the whole run one Postgres server: the one `PERDURE_TEST_POSTGRES_URL` names (its user must be allowed
 * to create databases), else one of its own. Without either, tests that need Postgres are skipped; with `CI=true`
 * that is an error instead.
 */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env.PERDURE_TEST_POSTGRES_URL;
  if (given) {
    project.provide("postgresUrl", given);
    return undefined;
  }
  try {
    const server = await startPostgres();
    project.provide("postgresUrl", server.url);
    return () => server.stop();
  } catch (error) {
    if (process.env.CI === "true") throw error;
    project.provide("postgresUrl", "");
    console.warn(`Tests that need Postgres are skipped: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
