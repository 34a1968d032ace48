import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { LangGraphRunnableConfig } from "@langchain/langgraph";
import type { Checkpointer } from "perdure/checkpoint";
import { judgeCommit } from "./invariants.ts";
import type { Violation } from "./invariants.ts";
import { nameTask } from "./name-task.ts";
import { Names } from "./names.ts";
import type { AnswerNamed, Commit, Committed } from "./store-call.ts";
import { NOTHING_STORED, isResult, readStored } from "./stored-thread.ts";
import type { StoredThread } from "./stored-thread.ts";

/** What nodes tell about their runs. */
export interface NodeLedger {
  /** A node began to run. */
  began(node: string, config: LangGraphRunnableConfig): void;
  /** A node got the answer to its question of this index. */
  answered(index: number, answer: unknown, config: LangGraphRunnableConfig): void;
}

/** What happened to one thread in one schedule, and what of it was wrong. */
export class Account {
  readonly names: Names;
  readonly violations: Violation[] = [];
  /** Off while a part of the schedule is repeated that was judged before. */
  judges = true;
  stored: StoredThread;
  readonly #store: Checkpointer;
  readonly #threadId: string;
  readonly #checkpoints: Set<string>;
  readonly #interruptIds = new Set<string>();
  readonly #accepted = new Map<string, AnswerNamed>();
  /** Tasks that a driver has seen finished. */
  readonly #seen = new Map<string, Set<string>>();

  /** @param before what happened before, to another thread of the same ids */
  constructor(store: Checkpointer, threadId: string, before?: Account) {
    this.#store = store;
    this.#threadId = threadId;
    this.names = new Names(before?.names);
    this.stored = before?.stored ?? NOTHING_STORED;
    this.#checkpoints = new Set(before === undefined ? [] : before.#checkpoints);
  }

  /** A ledger for the nodes that this driver runs. */
  ledgerOf(driver: string): NodeLedger {
    return {
      began: (node, config) => this.#began(driver, node, config),
      answered: (index, answer, config) => this.#answered(index, answer, config),
    };
  }

  /** A driver got the result of a read. */
  read(driver: string, result: unknown): void {
    const seen = this.#seen.get(driver) ?? new Set<string>();
    this.#seen.set(driver, seen);
    for (const tuple of Array.isArray(result) ? (result as unknown[]) : [result]) {
      if (!isTuple(tuple)) continue;
      for (const [taskId, channel] of tuple.pendingWrites ?? []) if (isResult(channel)) seen.add(taskId);
    }
  }

  /** The store has answered a commit. */
  async committed(commit: Commit, committed: Committed): Promise<void> {
    if (commit.stores === "checkpoint" && committed.ok) this.#checkpoints.add(commit.name);
    if (commit.stores === "answers") this.#note(commit.answers, committed);
    if (!this.judges) return;
    const before = this.stored;
    this.stored = await this.readStored();
    this.violations.push(...judgeCommit(commit, committed, before, this.stored));
  }

  /** The answers that were accepted, the first for each interrupt. */
  get acceptedAnswers(): AnswerNamed[] {
    return [...this.#accepted.values()];
  }

  #note(answers: readonly AnswerNamed[], committed: Committed): void {
    for (const [index, answer] of answers.entries()) {
      this.#interruptIds.add(answer.id);
      if (!committed.ok || committed.outcomes?.[index] !== "accepted" || this.#accepted.has(answer.id)) continue;
      this.#accepted.set(answer.id, answer);
    }
  }

  /** Reads what is stored now. */
  readStored(): Promise<StoredThread> {
    return readStored(this.#store, this.#threadId, this.names, this.#interruptIds);
  }

  /** I1, I2: a task begins on what is stored, and not when its driver has seen that it is finished. */
  #began(driver: string, node: string, config: LangGraphRunnableConfig): void {
    const { taskId, checkpointId } = taskOf(config);
    const on = this.names.of(checkpointId);
    nameTask(this.names, taskId, `${on}/${node}`);
    if (!this.judges) return;
    if (!this.#checkpoints.has(on))
      this.violations.push({ invariant: "I1", what: `${node} began before ${on} was stored` });
    if (this.#seen.get(driver)?.has(taskId) === true) {
      this.violations.push({
        invariant: "I2",
        what: `${driver} saw ${this.names.of(taskId)} finished, and ran it again`,
      });
    }
  }

  /** I3: what a node is told is the answer that was accepted. */
  #answered(index: number, answer: unknown, config: LangGraphRunnableConfig): void {
    if (!this.judges) return;
    const interrupt = `${this.names.of(taskOf(config).taskId)}?${index}`;
    const [told, accepted] = [this.names.in(answer), this.stored.answers.get(interrupt)];
    if (told !== accepted) {
      this.violations.push({ invariant: "I3", what: `${interrupt} was told ${told}, and ${accepted} was accepted` });
    }
  }
}

function taskOf({ executionInfo }: LangGraphRunnableConfig): { taskId: string; checkpointId: string } {
  if (executionInfo === undefined) throw new Error("The node runs outside of a graph.");
  return executionInfo;
}

function isTuple(value: unknown): value is CheckpointTuple {
  return typeof value === "object" && value !== null && "checkpoint" in value;
}
