import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CRASH_TIMEOUT_MS } from "../../../support/crash-timeout.ts";
import { linesAt } from "./account.ts";
import type { Line } from "./account.ts";
import { killAtEveryCommit } from "./kill-at-every-commit.ts";
import type { DeathPlan, Deaths } from "./kill-at-every-commit.ts";
import { answersLost, answersReplaced, commitsLost, effectsRepeated, movesMissing, tasksRepeated } from "./losses.ts";

/** Where the threads live, made for this suite alone. */
export interface CrashBackend {
  /** @param name a database for each name, or one for all */
  readonly url: (directory: string, name: string) => string;
  readonly make?: () => Promise<void>;
  readonly remove?: () => Promise<void>;
}

/** Kills at every commit of two runs on this backend, and looks whether the invariants held each time. */
export function describeEveryCommit(
  name: string,
  backend: CrashBackend,
  plan: Pick<DeathPlan, "perProcess" | "bothRecoveries" | "twice">,
): void {
  describe(`killed before and after every commit, on ${name}`, () => {
    let directory = "";
    let runs: readonly Deaths[];

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), "perdure-crash-"));
      await backend.make?.();
      runs = await Promise.all(
        (["approvals", "parcel"] as const).map((scenario) =>
          killAtEveryCommit({ url: backend.url(directory, scenario), scenario, directory, ...plan }),
        ),
      );
    }, CRASH_TIMEOUT_MS);
    afterAll(async () => {
      await backend.remove?.();
      await rm(directory, { recursive: true, force: true });
    });

    /** What `find` finds wrong in each account, under the place of the death. */
    const wrong = (find: (lines: readonly Line[]) => readonly string[]): Record<string, readonly string[]> => {
      const found = runs
        .flatMap(({ deaths }) => deaths)
        .map(({ threadId, account }) => [threadId, find(account.read())] as const);
      return Object.fromEntries(found.filter(([, problems]) => problems.length > 0));
    };

    it("the runs make commits of every kind", () => {
      const commits = runs.flatMap(({ plain }) => linesAt(plain.lines, "stored")).map(({ commit }) => kindOf(commit));
      expect(new Set(commits)).toEqual(
        new Set([
          "put input",
          "put loop",
          "put input of a subgraph",
          "put loop of a subgraph",
          "writes: a result",
          "writes: a question",
          "writes: a failure",
          "writes: what a call returned",
          "writes of a subgraph: a result",
          "writes of a subgraph: a question",
          "writes of a subgraph: what a call returned",
          "answers",
          "record",
        ]),
      );
    });

    it("every thread died at its place, by a SIGKILL, and another process brought it to its end", () => {
      for (const { plain, deaths, kills } of runs) {
        expect(deaths).toHaveLength(plain.end.commits * (plan.bothRecoveries ? 4 : 2));
        expect(kills).toBe(Math.ceil(deaths.length / plan.perProcess) + (plan.twice ? 1 : 0));
      }
      expect(
        wrong((lines) => {
          const lives = linesAt(lines, "life").length;
          const [end] = linesAt(lines, "end");
          const died = lives === 2 || (plan.twice && lives === 3);
          return died && end?.status === "done" ? [] : [`${lives} lives, ended ${end?.status}`];
        }),
      ).toEqual({});
    });

    it("I1: what a call had accepted, and every commit that had returned, was found after the crash", () => {
      expect(wrong(commitsLost)).toEqual({});
      expect(wrong(movesMissing)).toEqual({});
    });

    it("I2: no task ran again once its result was stored, and none began before what it stands on was", () => {
      expect(wrong(tasksRepeated)).toEqual({});
    });

    it("an effect under once was repeated only when its record was not stored, with the same key", () => {
      expect(wrong(effectsRepeated)).toEqual({});
    });

    it("I3: the first answer to each interrupt stood, the same again changed nothing, another was refused", () => {
      expect(wrong(answersLost)).toEqual({});
      expect(wrong(answersReplaced)).toEqual({});
    });

    it("I5: values and history are those of the run without a crash, and no signal is left or taken twice", () => {
      for (const { plain, deaths } of runs) {
        const { at: _, commits: __, ...expected } = plain.end;
        expect(expected).toMatchObject({ status: "done", signalsLeft: 0 });
        for (const { threadId, account } of deaths) {
          const { at: _, commits: __, ...end } = linesAt(account.read(), "end")[0] ?? ({} as typeof plain.end);
          expect(end, threadId).toEqual(expected);
        }
      }
    });
  });
}

function kindOf(commit: Extract<Line, { at: "stored" }>["commit"]): string {
  switch (commit.method) {
    case "commitAnswers":
      return "answers";
    case "updateRecord":
      return "record";
    case "put":
      return `put ${commit.source}${commit.namespace === "" ? "" : " of a subgraph"}`;
    case "putWrites":
      return `writes${commit.namespace === "" ? "" : " of a subgraph"}: ${writesKind(commit.channels)}`;
  }
}

function writesKind(channels: readonly string[]): string {
  if (channels.includes("__interrupt__")) return "a question";
  if (channels.includes("__error__")) return "a failure";
  return channels.includes("__return__") ? "what a call returned" : "a result";
}
