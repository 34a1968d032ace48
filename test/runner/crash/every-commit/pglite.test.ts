import { join } from "node:path";
import { describeEveryCommit } from "./describe-every-commit.ts";

describeEveryCommit(
  "PGlite",
  { url: (directory, name) => `pglite:${join(directory, name)}` },
  { perProcess: 25, bothRecoveries: false, twice: false },
);
