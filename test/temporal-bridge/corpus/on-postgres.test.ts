import { openCheckpointer } from "perdure/checkpoint";
import { inject } from "vitest";
import { freshDatabase } from "../../support/fresh-database.ts";
import { agents } from "./agents.ts";
import { describeTheSame } from "./describe-the-same.ts";
import { joins } from "./joins.ts";
import { questions } from "./questions.ts";
import { sends } from "./sends.ts";

const some = [...joins, ...sends.slice(1, 2), ...questions.filter(({ name }) => name.includes("subgraph")), ...agents];

describeTheSame(
  "the same in process, and on Temporal with a Postgres checkpointer:",
  inject("postgresUrl") === "" ? [] : some,
  async () => {
    const database = await freshDatabase();
    const checkpointer = await openCheckpointer(database.url);
    const close = async () => {
      await checkpointer.close();
      await database.drop();
    };
    return { checkpointer, close };
  },
);
