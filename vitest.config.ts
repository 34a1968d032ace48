import { configDefaults, defineConfig } from "vitest/config";

/** `npm run soak` sets it: the long runs of test/soak, whose small seeds are part of `npm test`. */
const soak = process.env.PERDURE_SOAK === "1";

// Tests import the package by its name; this condition leads them to the source, not to dist.
const conditions = ["perdure-source", "module", "node", "development|production"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ["perdure-source", "node"] } },
  test: {
    include: soak ? ["test/soak/**/*.test.ts"] : ["test/**/*.test.ts"],
    exclude: soak ? configDefaults.exclude : [...configDefaults.exclude, "test/soak/**"],
    globalSetup: ["test/support/postgres-setup.ts"],
    pool: "forks",
    testTimeout: soak ? 600_000 : 20_000,
    hookTimeout: 30_000,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      // Tables of contents and pure types have nothing to run.
      exclude: ["src/**/index.ts"],
      reporter: ["text-summary", "json-summary", "html"],
    },
  },
});
