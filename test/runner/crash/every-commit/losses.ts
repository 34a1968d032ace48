/** What an account of a thread's lives says was lost or done twice; each function returns what is wrong. */
import { isDeepStrictEqual } from "node:util";
import { acceptedAnswers, linesAt } from "./account.ts";
import type { Line } from "./account.ts";
import { isResult } from "./client.ts";

/** Commits that had returned, and that the next process did not find (I1). */
export function commitsLost(lines: readonly Line[]): string[] {
  return perLife(lines, (before, found) => {
    const checkpoints = new Set(found.checkpoints);
    const finished = new Set(found.finished);
    return linesAt(before, "stored").flatMap(({ commit }) => {
      if (commit.method === "put" && !checkpoints.has(commit.checkpointId))
        return [`checkpoint ${commit.checkpointId}`];
      if (commit.method !== "putWrites" || !commit.channels.some(isResult)) return [];
      // a result can be stored while its checkpoint still is on its way; then nothing stands on either
      if (!checkpoints.has(commit.checkpointId)) return [];
      return finished.has(commit.taskId) ? [] : [`result of task ${commit.taskId}`];
    });
  });
}

/** Answers that were accepted, and that the next process did not find, or found changed (I1, I3). */
export function answersLost(lines: readonly Line[]): string[] {
  return perLife(lines, (before, found) =>
    acceptedAnswers(before)
      .filter(({ id, answer }) => {
        const stored = found.answers.find((one) => one.id === id);
        return stored === undefined || !isDeepStrictEqual(stored.answer, answer);
      })
      .map(({ id }) => `answer to ${id}`),
  );
}

/** Calls that returned and had to be made again: what they did was not there any more (I1). */
export function movesMissing(lines: readonly Line[]): string[] {
  const acks = linesAt(lines, "ack").map(({ move }) => move);
  return acks.filter((move, index) => acks.indexOf(move) !== index);
}

/** Tasks that ran again after their result was stored, or before the checkpoint they stand on was (I2). */
export function tasksRepeated(lines: readonly Line[]): string[] {
  const checkpoints = new Set<string>();
  const finished = new Set<string>();
  const problems: string[] = [];
  for (const line of lines) {
    if (line.at === "found") {
      for (const id of line.checkpoints) checkpoints.add(id);
      for (const id of line.finished) finished.add(id);
    } else if (line.at === "stored" && line.commit.method === "put") {
      checkpoints.add(line.commit.checkpointId);
    } else if (line.at === "stored" && line.commit.method === "putWrites") {
      if (line.commit.channels.some(isResult)) finished.add(line.commit.taskId);
    } else if (line.at === "began") {
      if (finished.has(line.task)) problems.push(`${line.node} ran again, task ${line.task}`);
      if (!checkpoints.has(line.checkpoint)) problems.push(`${line.node} began before ${line.checkpoint} was stored`);
    }
  }
  return problems;
}

/** Effects that happened again although they were on record, or with another key. */
export function effectsRepeated(lines: readonly Line[]): string[] {
  const keys = new Map<string, string>();
  const times = new Map<string, number>();
  const recorded = new Set<unknown>();
  const problems: string[] = [];
  for (const line of lines) {
    if (line.at === "stored" && line.commit.method === "putWrites" && line.commit.returned !== undefined) {
      recorded.add((line.commit.returned as { readonly value: unknown }).value);
    }
    if (line.at !== "effect") continue;
    const { what, key } = line;
    times.set(what, (times.get(what) ?? 0) + 1);
    if (recorded.has(what)) problems.push(`${what} again, though it is on record`);
    if ((keys.get(what) ?? key) !== key) problems.push(`${what} again, with another key`);
    keys.set(what, key);
  }
  const lives = linesAt(lines, "life").length;
  for (const [what, count] of times) if (count > lives) problems.push(`${what} ${count} times in ${lives} lives`);
  return problems;
}

/** Answered interrupts that took another answer, or something that answering them again changed (I3). */
export function answersReplaced(lines: readonly Line[]): string[] {
  const accepted = acceptedAnswers(lines).map(({ id }) => id);
  const twice = accepted.filter((id, index) => accepted.indexOf(id) !== index);
  return [
    ...twice.map((id) => `${id} was accepted twice`),
    ...linesAt(lines, "answered again").flatMap(({ how, results, changed }) => {
      const expected = how === "differently" ? "INTERRUPT_ALREADY_ANSWERED" : "accepted";
      const wrong = results.filter(({ result }) => result !== expected);
      return [
        ...wrong.map(({ id, result }) => `${id} answered ${how}: ${result}`),
        ...(changed ? [`answering ${how} changed the thread`] : []),
      ];
    }),
  ];
}

/** Looks at what each process found, and at what the ones before it had written down. */
function perLife(
  lines: readonly Line[],
  look: (before: readonly Line[], found: Extract<Line, { at: "found" }>) => string[],
): string[] {
  return lines.flatMap((line, index) => (line.at === "found" ? look(lines.slice(0, index), line) : []));
}
