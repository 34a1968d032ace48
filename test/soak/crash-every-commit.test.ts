/** One process killed for each commit, both ways of coming back; and threads that die again while they are taken up. */
import { join } from "node:path";
import { describeEveryCommit } from "../runner/crash/every-commit/describe-every-commit.ts";
import type { CrashBackend } from "../runner/crash/every-commit/describe-every-commit.ts";
import { describeWithPostgres, freshDatabase } from "../support/fresh-database.ts";
import type { FreshDatabase } from "../support/fresh-database.ts";

let database: FreshDatabase;
const postgres: CrashBackend = {
  make: async () => {
    database = await freshDatabase();
  },
  url: () => database.url,
  remove: () => database.drop(),
};
const pglite: CrashBackend = { url: (directory, name) => `pglite:${join(directory, name)}` };

describeWithPostgres("on a server", () => {
  describeEveryCommit("Postgres, one at a time", postgres, { perProcess: 1, bothRecoveries: true, twice: false });
  describeEveryCommit("Postgres, and again", postgres, { perProcess: 20, bothRecoveries: true, twice: true });
});
describeEveryCommit("PGlite, one at a time", pglite, { perProcess: 1, bothRecoveries: false, twice: false });
describeEveryCommit("PGlite, and again", pglite, { perProcess: 20, bothRecoveries: true, twice: true });
