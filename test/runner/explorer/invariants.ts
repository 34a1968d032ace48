/** The invariants of docs/architecture.md, judged over one commit: what was stored before it and after it. */
import { isResult } from "./stored-thread.ts";
import type { StoredCheckpoint, StoredThread, StoredWrite } from "./stored-thread.ts";
import type { Commit, Committed } from "./store-call.ts";

/** An invariant that did not hold. */
export interface Violation {
  readonly invariant: "I1" | "I2" | "I3" | "I4" | "I5" | "I7" | "ends";
  readonly what: string;
}

/** What a commit did wrong, given what is stored before and after it. */
export function judgeCommit(
  commit: Commit,
  committed: Committed,
  before: StoredThread,
  after: StoredThread,
): Violation[] {
  const found = [...lost(before, after), ...siblings(after)];
  if (!committed.ok) {
    if (before.text !== after.text) found.push({ invariant: "I4", what: `a refused commit changed the thread` });
    return found;
  }
  return [...found, ...notFound(commit, committed, after), ...unguarded(commit, before)];
}

/** I1, I2, I3: what was stored stays stored as it was. */
function lost(before: StoredThread, after: StoredThread): Violation[] {
  const found: Violation[] = [];
  for (const [name, checkpoint] of before.checkpoints) {
    const now = after.checkpoints.get(name);
    if (now?.content !== checkpoint.content || now.parent !== checkpoint.parent) {
      found.push({ invariant: "I1", what: `checkpoint ${name} is ${now === undefined ? "lost" : "changed"}` });
    } else found.push(...lostWrites(checkpoint, now));
  }
  for (const [interrupt, answer] of before.answers) {
    const now = after.answers.get(interrupt);
    if (now !== answer) found.push({ invariant: "I3", what: `the answer ${answer} to ${interrupt} became ${now}` });
  }
  const signals = new Set(signalsOf(after));
  for (const id of signalsOf(before)) {
    if (!signals.has(id)) found.push({ invariant: "I1", what: `signal ${id} is lost` });
  }
  for (const { id } of after.record?.signals ?? []) {
    const isTaken = before.record?.takenSignals?.includes(id) === true;
    if (isTaken) found.push({ invariant: "I3", what: `signal ${id} was given to a node, and waits for one again` });
  }
  return found;
}

function lostWrites(before: StoredCheckpoint, after: StoredCheckpoint): Violation[] {
  const found: Violation[] = [];
  for (const { task, channel, value } of before.writes) {
    const same = after.writes.filter((write) => write.task === task && write.channel === channel);
    if (isResult(channel) && !same.some((write) => write.value === value)) {
      found.push({ invariant: "I2", what: `${task} wrote ${value} to ${channel}, and now ${valuesOf(same)}` });
    }
    if (channel === "__resume__" && !same.some((write) => continues(value, write.value))) {
      found.push({ invariant: "I3", what: `${task} was answered ${value}, and now ${valuesOf(same)}` });
    }
  }
  return found;
}

function continues(earlier: string, later: string): boolean {
  const [kept, all] = [JSON.parse(earlier), JSON.parse(later)] as unknown[][];
  return JSON.stringify(all?.slice(0, kept?.length)) === JSON.stringify(kept);
}

function valuesOf(writes: readonly StoredWrite[]): string {
  return writes.map(({ value }) => value).join(" and ") || "nothing";
}

function signalsOf({ record }: StoredThread): string[] {
  return [...(record?.signals.map(({ id }) => id) ?? []), ...(record?.takenSignals ?? [])];
}

/** I4: the root's checkpoints are one chain, which only a fork splits. */
function siblings({ checkpoints }: StoredThread): Violation[] {
  const children = new Map<string | undefined, string>();
  const found: Violation[] = [];
  for (const { name, namespace, parent, source } of checkpoints.values()) {
    if (namespace !== "" || source === "fork") continue;
    const other = children.get(parent);
    if (other !== undefined) found.push({ invariant: "I4", what: `${other} and ${name} both stand on ${parent}` });
    children.set(parent, name);
  }
  return found;
}

/** I1: what the store says it stored is there. */
function notFound(commit: Commit, committed: Committed & { ok: true }, after: StoredThread): Violation[] {
  switch (commit.stores) {
    case "checkpoint": {
      if (after.checkpoints.has(commit.name)) return [];
      return [{ invariant: "I1", what: `checkpoint ${commit.name} was acknowledged and is not there` }];
    }
    case "writes": {
      const checkpoint = after.checkpoints.get(commit.checkpoint);
      const channels = new Set(checkpoint?.writes.filter(({ task }) => task === commit.task).map((one) => one.channel));
      // of a task that ran twice the first result stands, and may have other channels
      const isThere = (channel: string) => channels.has(channel) || (isResult(channel) && [...channels].some(isResult));
      const missing = checkpoint === undefined ? [] : commit.channels.filter((channel) => !isThere(channel));
      return missing.map((channel) => ({
        invariant: "I2",
        what: `what ${commit.task} wrote to ${channel} was acknowledged and is not there`,
      }));
    }
    case "answers": {
      return commit.answers.flatMap(({ interrupt, answer }, index) => {
        if (committed.outcomes?.[index] !== "accepted") return [];
        const stored = after.answers.get(interrupt);
        if (stored === answer) return [];
        return [{ invariant: "I3", what: `${interrupt} took the answer ${answer}, and now has ${stored}` } as const];
      });
    }
    case "record":
      return [];
  }
}

/** I4, I7: a guarded commit was made on what it names. */
function unguarded(commit: Commit, before: StoredThread): Violation[] {
  if (commit.stores !== "checkpoint" && commit.stores !== "writes") return [];
  const found: Violation[] = [];
  const { guard } = commit;
  const epoch = before.record?.epoch ?? 0;
  if (guard !== undefined && guard.epoch !== epoch) {
    found.push({ invariant: "I7", what: `a commit of epoch ${guard.epoch} was stored in epoch ${epoch}` });
  }
  if (commit.stores === "checkpoint" && guard?.onHead === true && commit.parent !== before.head) {
    found.push({ invariant: "I4", what: `${commit.name} on ${commit.parent} was stored on the head ${before.head}` });
  }
  return found;
}
