import { isDeepStrictEqual } from "node:util";
import type { Checkpointer } from "perdure/checkpoint";
import { isPerdureError } from "perdure/errors";
import type { CrashPoint } from "../../../support/crash-point.ts";
import { acceptedAnswers, linesAt } from "./account.ts";
import type { Account, End, Found, Line, Seen } from "./account.ts";
import type { Client, Move, Scenario } from "./scenario.ts";

/** How a client that comes back takes up a call that it had no result of. */
export type Recovery =
  /** It makes the same call again. */
  | "repeat"
  /** It continues the thread first. */
  | "continue";

/** Everything the client of one thread works with. */
export interface ClientParts {
  readonly threadId: string;
  readonly moves: Scenario["moves"];
  readonly runner: Client["runner"];
  /** Both without crash points around them, to look and to ask with. */
  readonly checkpointer: Checkpointer;
  readonly witness: Client["runner"];
  readonly account: Account;
  readonly point: CrashPoint;
}

/**
 * Takes a thread from wherever the account says it is to its end. What the client knows is what is
 * in the account: another process wrote it, before it died.
 */
export async function runClient(parts: ClientParts, recovery: Recovery | undefined): Promise<void> {
  const { threadId, moves, runner, account, point } = parts;
  const before = account.read();
  const write = (line: Line): Promise<void> => point.outside(() => account.append(line));
  await write({ at: "life" });
  if (recovery !== undefined) {
    await write({ at: "found", ...(await find(parts, before)) });
    await answerAgain(parts, before, "differently");
    if (recovery === "continue") await continueIfThere(parts);
  }
  const acks = linesAt(before, "ack");
  let known: Seen = acks.at(-1) ?? { status: "new", interrupts: [] };
  const repair = (): Promise<void> => write({ at: "repaired" });
  for (const [name, move] of moves.slice(acks.length)) {
    await write({ at: "call", move: name });
    const state = await move({ threadId, runner, known, repair });
    if (state !== undefined) known = seen(state);
    await write({ at: "ack", move: name, ...known });
  }
  await answerAgain(parts, account.read(), "the same");
  await answerAgain(parts, account.read(), "differently");
  await write({ at: "end", ...(await end(parts)) });
}

async function continueIfThere({ runner, threadId }: ClientParts): Promise<void> {
  await runner.continue(threadId).catch((error: unknown) => {
    if (!isPerdureError(error, "THREAD_NOT_FOUND")) throw error;
  });
}

/** Gives each interrupt that was answered another answer, or the same again. */
async function answerAgain(parts: ClientParts, lines: readonly Line[], how: "differently" | "the same"): Promise<void> {
  const { witness, checkpointer, threadId, account } = parts;
  // nobody but the runner may say that a time is over
  const given = acceptedAnswers(lines).filter(({ answer: first }) => how === "differently" || !isDue(first));
  if (given.length === 0) return;
  const look = async () => [await witness.inspect(threadId), await checkpointer.readRecord(threadId)];
  const before = await look();
  const results = [];
  for (const { id, answer: first } of given) {
    const again = how === "the same" ? first : { another: "answer" };
    const result = await witness.resume(threadId, { [id]: again }).then(
      () => "accepted",
      (error: unknown) => (isPerdureError(error) ? error.code : String(error)),
    );
    results.push({ id, result });
  }
  account.append({ at: "answered again", how, results, changed: !isDeepStrictEqual(await look(), before) });
}

/** Looks at what the dead process left, with nothing but the checkpointer. */
async function find({ checkpointer, threadId }: ClientParts, before: readonly Line[]): Promise<Found> {
  const checkpoints: string[] = [];
  const finished = new Set<string>();
  for await (const { checkpoint, pendingWrites = [] } of checkpointer.list({ configurable: { thread_id: threadId } })) {
    checkpoints.push(checkpoint.id);
    for (const [taskId, channel] of pendingWrites) if (isResult(channel)) finished.add(taskId);
  }
  const answers: { id: string; answer: unknown }[] = [];
  for (const { id } of acceptedAnswers(before)) {
    const recorded = await checkpointer.readAnswer(threadId, id);
    if (recorded !== undefined) answers.push({ id, answer: recorded.answer });
  }
  return { checkpoints, finished: [...finished], answers };
}

async function end({ witness, checkpointer, threadId, point }: ClientParts): Promise<End> {
  const { status, values } = await witness.inspect(threadId);
  const history: End["history"][number][] = [];
  for await (const checkpoint of witness.history(threadId)) {
    history.unshift({ step: checkpoint.step, next: checkpoint.next, values: checkpoint.values });
  }
  const record = await checkpointer.readRecord(threadId);
  return { commits: point.commits, status, values, history, signalsLeft: record?.signals.length ?? -1 };
}

/** Whether a pending write on this channel is of a task's result. */
export function isResult(channel: string): boolean {
  return !["__error__", "__error_source_node__", "__interrupt__", "__resume__", "__scheduled__"].includes(channel);
}

function isDue(given: unknown): boolean {
  return typeof given === "object" && given !== null && "perdure" in given;
}

function seen({ status, interrupts }: NonNullable<Awaited<ReturnType<Move>>>): Seen {
  return { status, interrupts: interrupts.map(({ id, node }) => ({ id, node })) };
}
