import type { OpenInterrupt, Runner, ThreadState } from "perdure/runner";
import { collect } from "../../support/collect.ts";
import type { World } from "./world.ts";

/** All that is to be the same, whoever drives a graph. */
export interface Story {
  /** Where it came to rest, after each move. */
  readonly stops: readonly Stop[];
  /** Its checkpoints, oldest first. */
  readonly path: readonly unknown[];
  /** How often each node was run. */
  readonly ledger: Readonly<Record<string, number>>;
}

/** A thread at rest. */
export interface Stop extends Shown {
  readonly values: unknown;
  readonly failures: readonly unknown[];
}

/** What is to be seen of it without its values. */
export interface Shown {
  readonly status: string;
  readonly step: number;
  readonly next: readonly string[];
  readonly interrupts: readonly unknown[];
}

/** What a thread shows at rest. */
export function shown(state: Pick<ThreadState, "step" | "next" | "interrupts"> & { readonly status: string }): Shown {
  const { status, step, next, interrupts } = state;
  // those of a subgraph come by the ids of their tasks, which are random
  const questions = interrupts.map(question).toSorted((one, other) => (textOf(one) < textOf(other) ? -1 : 1));
  return { status, step, next, interrupts: questions };
}

export function stopOf(state: ThreadState<unknown>): Stop {
  const failures = state.status === "error" ? state.failures : [];
  return {
    ...shown(state as ThreadState),
    values: state.values,
    failures: failures.map(({ node, name, message, code }) => ({ node, name, message, code })),
  };
}

export async function storyOf(
  runner: Runner<never, unknown>,
  threadId: string,
  stops: readonly Stop[],
  world: World,
): Promise<Story> {
  const checkpoints = await collect(runner.history(threadId));
  const path = checkpoints.toReversed().map(({ step, source, next, values }) => ({ step, source, next, values }));
  return { stops, path, ledger: world.ledger };
}

/** A story, or a part of one, without what is different by chance: random ids, and times. */
export function comparable<T>(story: T): T {
  const ids = new Map<string, string>();
  const text = JSON.stringify(story)
    .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gu, (id) => {
      const known = ids.get(id) ?? `id ${ids.size}`;
      ids.set(id, known);
      return known;
    })
    .replaceAll(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/gu, "a time")
    .replaceAll(/elapsed: \d+ms/gu, "elapsed: a while");
  return JSON.parse(text) as T;
}

function textOf(value: unknown): string {
  return JSON.stringify(value);
}

function question({ kind, node, value, schema, dueAt, namespace }: OpenInterrupt): unknown {
  return { kind, node, value, schema, isTimed: dueAt !== undefined, isNested: namespace !== undefined };
}
