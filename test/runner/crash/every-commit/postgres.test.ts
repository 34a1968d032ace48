import { describeWithPostgres, freshDatabase } from "../../../support/fresh-database.ts";
import type { FreshDatabase } from "../../../support/fresh-database.ts";
import { describeEveryCommit } from "./describe-every-commit.ts";

describeWithPostgres("on a server", () => {
  let database: FreshDatabase;
  describeEveryCommit(
    "Postgres",
    {
      make: async () => {
        database = await freshDatabase();
      },
      url: () => database.url,
      remove: () => database.drop(),
    },
    { perProcess: 25, bothRecoveries: false, twice: false },
  );
});
