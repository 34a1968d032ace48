import { Annotation, START, Send, StateGraph } from "@langchain/langgraph";
import { once } from "perdure/nodes";
import { SeededRandom } from "../../../support/crash-random.ts";

/** An amount that goes from one account to another. */
export interface Transfer {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly cents: number;
}

const ACCOUNTS = 12;
const CENTS_EACH = 100_000;
/** Transfers of one thread, all in one superstep. */
export const TRANSFERS_PER_THREAD = 20;

/** What all accounts hold together, always. */
export const SUM = ACCOUNTS * CENTS_EACH;

/** Makes the accounts. No constraint keeps a transfer from being made twice: that is once.tx's job. */
export const CREATE_BANK: readonly string[] = [
  "CREATE TABLE accounts (id int PRIMARY KEY, cents int NOT NULL)",
  "CREATE TABLE transfers (id text NOT NULL)",
  `INSERT INTO accounts SELECT id, ${CENTS_EACH} FROM generate_series(0, ${ACCOUNTS - 1}) AS id`,
];

/** What a look at the bank sees, all at one moment. */
export interface BankView {
  readonly sum: number;
  readonly transfers: number;
  readonly records: number;
}

/** One statement, so that it sees one moment. */
export const LOOK_AT_BANK = `SELECT sum(cents)::int AS sum,
  (SELECT count(*)::int FROM transfers) AS transfers,
  (SELECT count(*)::int FROM perdure_once) AS records FROM accounts`;

/** The transfers that a thread is to make. */
export function plannedTransfers(threadId: string, seed: number): Transfer[] {
  const random = new SeededRandom(seed + Number(threadId.split(" ")[1]));
  return Array.from({ length: TRANSFERS_PER_THREAD }, (_, index) => {
    const from = random.between(0, ACCOUNTS);
    const to = (from + random.between(1, ACCOUNTS)) % ACCOUNTS;
    return { id: `${threadId}, transfer ${index}`, from, to, cents: random.between(1, 100) };
  });
}

/** What each account holds when these transfers were made, once each. */
export function balancesAfter(transfers: readonly Transfer[]): number[] {
  const balances = Array.from({ length: ACCOUNTS }, () => CENTS_EACH);
  for (const { from, to, cents } of transfers) {
    balances[from]! -= cents;
    balances[to]! += cents;
  }
  return balances;
}

const State = Annotation.Root({
  planned: Annotation<readonly Transfer[]>(),
  done: Annotation<string[], string[]>({ reducer: (kept, added) => kept.concat(added), default: () => [] }),
});

/**
 * A graph whose tasks make a transfer each. Which account comes first differs, so transfers that run at the same
 * time may wait for each other, and the database gives one up.
 * @param inTheMiddle called in each transaction, between its statements
 */
export function bankGraph(inTheMiddle: (id: string) => Promise<void>) {
  const transfer = async ({ id, from, to, cents }: Transfer): Promise<{ done: string[] }> => {
    const done = await once.tx("transfer", async (sql) => {
      await sql.query("UPDATE accounts SET cents = cents - $2 WHERE id = $1", [from, cents]);
      await sql.query("INSERT INTO transfers VALUES ($1)", [id]);
      await inTheMiddle(id);
      await sql.query("UPDATE accounts SET cents = cents + $2 WHERE id = $1", [to, cents]);
      return id;
    });
    return { done: [done] };
  };
  return new StateGraph(State)
    .addNode("transfer", transfer)
    .addConditionalEdges(START, ({ planned }) => planned.map((one) => new Send("transfer", one)));
}
