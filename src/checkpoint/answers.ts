import { isDeepStrictEqual } from "node:util";
import { WRITES_IDX_MAP } from "@langchain/langgraph-checkpoint";
import type { SerializerProtocol } from "@langchain/langgraph-checkpoint";
import type { AnswerCommit, AnswerOutcome, AnswerToCommit } from "./checkpointer.ts";
import { assertStorableId } from "./stored-id.ts";
import { fromStored, toStored } from "./stored-value.ts";

/** What the store holds that decides about a commit of answers, read in the same transaction. */
export interface AnswerFacts {
  /** The newest checkpoint of the root namespace. */
  readonly head: string | undefined;
  /** The answers already committed, by interrupt. */
  readonly answers: ReadonlyMap<string, unknown>;
  /** What each asking task has, by {@link taskKey}; absent when it has no writes at all. */
  readonly tasks: ReadonlyMap<string, TaskFacts>;
}

/** What a task that asked has stored. */
export interface TaskFacts {
  /** Its RESUME write: the answers it was given so far. */
  readonly resume: unknown;
  /** Whether it has written its result, and so cannot be asking. */
  readonly written: boolean;
}

/** What is to be stored, and what was found. */
export interface AnswerJudgement {
  readonly outcomes: AnswerOutcome[];
  /** Empty unless every outcome is `accepted` or `same`. */
  readonly accepted: readonly AnswerToCommit[];
  /** The new RESUME write of each task in `accepted`. */
  readonly resumes: readonly { readonly task: AnsweredTask; readonly value: readonly unknown[] }[];
}

type AnsweredTask = NonNullable<AnswerToCommit["task"]>;

/** One string for a task, at a checkpoint, in a namespace. */
export function taskKey(task: { checkpointNs: string; checkpointId: string; taskId: string }): string {
  return JSON.stringify([task.checkpointNs, task.checkpointId, task.taskId]);
}

/** LangGraph stores here whose failure goes to an error handler. */
const FAILED_NODE = "__error_source_node__";

/** Whether a pending write on this channel means that the task is done, and not that it waits or failed. */
export function isOutputChannel(channel: string): boolean {
  return !(channel in WRITES_IDX_MAP) && channel !== FAILED_NODE;
}

/**
 * The answers as a store would give them back, so that they compare by value with stored ones.
 * @throws OPTIONS_INVALID for ids that not every store can keep
 */
export function roundTripAnswers(serde: SerializerProtocol, commit: AnswerCommit): Promise<AnswerToCommit[]> {
  return Promise.all(
    commit.answers.map(async ({ interruptId, answer, task }) => {
      for (const [name, id] of Object.entries({ interruptId, ...task })) {
        if (name !== "earlier") assertStorableId("commitAnswers", name, id);
      }
      const [stored, earlier] = await Promise.all([
        roundTrip(serde, answer),
        task === undefined ? [] : roundTrip(serde, task.earlier),
      ]);
      if (task === undefined) return { interruptId, answer: stored };
      return { interruptId, answer: stored, task: { ...task, earlier: earlier as unknown[] } };
    }),
  );
}

/**
 * Decides about answers one after the other, as if each accepted one were stored at once: an
 * interrupt is answered once (I3), a task's answers only grow from exactly those it had.
 */
export function judgeAnswers(
  headCheckpointId: string,
  answers: readonly AnswerToCommit[],
  facts: AnswerFacts,
): AnswerJudgement {
  const given = new Map(facts.answers);
  const resumes = new Map<string, { task: AnsweredTask; value: readonly unknown[] }>();
  const accepted: AnswerToCommit[] = [];

  const judge = ({ interruptId, answer, task }: AnswerToCommit): AnswerOutcome => {
    if (given.has(interruptId)) return isDeepStrictEqual(given.get(interruptId), answer) ? "same" : "different";
    if (facts.head !== headCheckpointId) return "stale";
    if (task === undefined) return "accepted";
    const found = facts.tasks.get(taskKey(task));
    const resume = resumes.get(taskKey(task))?.value ?? found?.resume ?? [];
    if (found?.written === true || !isDeepStrictEqual(resume, task.earlier)) return "stale";
    resumes.set(taskKey(task), { task, value: [...task.earlier, answer] });
    return "accepted";
  };

  const outcomes = answers.map((answer) => {
    const outcome = judge(answer);
    if (outcome === "accepted") {
      given.set(answer.interruptId, answer.answer);
      accepted.push(answer);
    }
    return outcome;
  });
  if (outcomes.some((outcome) => outcome === "different" || outcome === "stale")) {
    return { outcomes, accepted: [], resumes: [] };
  }
  return { outcomes, accepted, resumes: [...resumes.values()] };
}

async function roundTrip(serde: SerializerProtocol, value: unknown): Promise<unknown> {
  return fromStored(serde, await toStored(serde, value));
}
