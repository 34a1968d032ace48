import { configDefaults, defineConfig } from "vitest/config";

// Tests import the package by its name; this condition leads them to the source, not to dist.
const conditions = ["perdure-source", "module", "node", "development|production"];

export default defineConfig(({ mode }) => {
  // `npm run soak`: the long runs of test/soak. A small seed of each is part of `npm test`.
  const soak = mode === "soak" || process.env.PERDURE_SOAK === "1";
  return {
    resolve: { conditions },
    ssr: { resolve: { conditions, externalConditions: ["perdure-source", "node"] } },
    test: {
      include: soak ? ["test/soak/**/*.test.ts"] : ["test/**/*.test.ts"],
      exclude: soak ? configDefaults.exclude : [...configDefaults.exclude, "test/soak/**"],
      env: soak ? { PERDURE_SOAK: "1" } : {},
      globalSetup: ["test/support/postgres-setup.ts", "test/support/temporal-setup.ts"],
      pool: "forks",
      // Much of the time is spent waiting for databases and other processes.
      maxWorkers: "100%",
      // For what hangs only: CI has few cores, and other work on them. Tests start processes and databases.
      testTimeout: soak ? 600_000 : 120_000,
      hookTimeout: soak ? 600_000 : 180_000,
      teardownTimeout: 60_000,
      expect: { poll: { timeout: 60_000 } },
      coverage: {
        provider: "v8",
        include: ["src/**/*.ts"],
        // Tables of contents have nothing to run.
        exclude: ["src/**/index.ts"],
        reporter: ["text-summary", "json-summary", "html"],
      },
    },
  };
});
