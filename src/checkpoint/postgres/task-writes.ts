import { INTERRUPT, RESUME, WRITES_IDX_MAP } from "@langchain/langgraph-checkpoint";
import type { PendingWrite } from "@langchain/langgraph-checkpoint";
import { isOutputChannel } from "../answers.ts";
import type { CommitPlace } from "../commit-guard.ts";
import { interruptId } from "../interrupt-id.ts";
import type { InterruptWrite } from "../interrupt-id.ts";
import { ownInterrupt } from "../stored-interrupts.ts";
import { refuseFunction } from "../strict-serializer.ts";
import { RESULT_IDX } from "./commit.ts";
import type { WritesRow } from "./commit.ts";
import type { ValueCodec } from "./value-codec.ts";

/** Rows of what is neither a result nor has a place of its own in LangGraph; replaced. */
const OTHER_IDX = 1;

/**
 * The writes of a task as rows: its result in one, so that a task that runs twice leaves the first result whole
 * and never a mix (I2); each special write in a row of its own, at the index LangGraph gives it.
 */
export async function taskWrites(
  codec: ValueCodec,
  place: CommitPlace,
  writes: readonly PendingWrite[],
  { id: taskId, path }: { readonly id: string; readonly path: string },
): Promise<WritesRow[]> {
  const byIdx = new Map<number, PendingWrite[]>();
  for (const write of writes) {
    const [channel, value] = write;
    if (codec.isPlain) refuseFunction(value, [channel]);
    const special = WRITES_IDX_MAP[channel];
    const idx = special ?? (isOutputChannel(channel) ? RESULT_IDX : OTHER_IDX);
    // Of a special write only the last one counts.
    if (special === undefined && byIdx.has(idx)) byIdx.get(idx)?.push(write);
    else byIdx.set(idx, [write]);
  }
  return Promise.all(
    [...byIdx].map(async ([idx, pairs]) => ({
      ...question(place, taskId, idx, pairs[0]?.[1]),
      ns: place.checkpointNs,
      checkpointId: place.checkpointId as string,
      taskId,
      idx,
      stored: await codec.dump(idx === RESULT_IDX ? withPath(pairs, path) : pairs),
    })),
  );
}

/** With the path of its task beside the first write, by which a reader puts the tasks of a superstep in order. */
function withPath(pairs: readonly PendingWrite[], path: string): readonly unknown[] {
  const [[channel, value] = [], ...others] = pairs;
  return path === "" ? pairs : [[channel, value, path], ...others];
}

/** What a row means for the list of open questions. */
function question(
  { askedAt }: CommitPlace,
  taskId: string,
  idx: number,
  value: unknown,
): Pick<WritesRow, "asks" | "ends"> {
  if (idx === RESULT_IDX) return { ends: { answers: LAST_ANSWER } };
  if (idx === WRITES_IDX_MAP[RESUME]) return { ends: { answers: Array.isArray(value) ? value.length : 1 } };
  if (idx !== WRITES_IDX_MAP[INTERRUPT]) return {};
  const { answers, nested } = ownInterrupt<InterruptWrite>(value)?.perdure ?? {};
  // What is asked in a subgraph is stored, and listed, there.
  if (nested === true) return {};
  const id = answers === undefined ? undefined : interruptId(taskId, answers);
  return { asks: { answersBefore: answers, interruptId: id, askedAt } };
}

/** More answers than any task was given. */
const LAST_ANSWER = 2 ** 31 - 1;
