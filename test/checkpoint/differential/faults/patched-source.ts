import { cp, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as Checkpoint from "perdure/checkpoint";

/** A text of a source file, and what stands there instead. */
export interface SourcePatch {
  /** Within src/checkpoint/postgres. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Real faults in the Postgres saver: what it would be without one of its precautions. */
export const SOURCE_FAULTS: Readonly<Record<string, readonly SourcePatch[]>> = {
  /** Two branches go on in one lineage, and the second one gets the items of the first (H9 again). */
  forkCollision: [
    { file: "list-ref.ts", from: "!before.sealed && last.lineage.tip === stored", to: "stored > 0" },
    {
      file: "flush-statement.ts",
      from: "JOIN judged j ON j.n = x.n AND j.ok\n), new_writes",
      to: "JOIN judged j ON j.n = x.n AND j.ok\n  ON CONFLICT DO NOTHING\n), new_writes",
    },
  ],
  /** The newest item of what is appended is left out. */
  lostTail: [
    { file: "checkpoint-draft.ts", from: "= all.slice(start);", to: "= all.slice(start, all.length - 1 || 1);" },
  ],
  /** What is remembered of a thread counts, though somebody deleted it. */
  staleCache: [
    {
      file: "flush-statement.ts",
      from: "(o.thread IS NULL OR (o.thread = l.thread AND o.generation = l.generation))",
      to: "true",
    },
  ],
  /** Of a task that ran twice the last result counts. */
  lastResult: [{ file: "flush-statement.ts", from: "WHERE EXCLUDED.idx <> 0", to: "" }],
  /** A list that was read back is compared item by item, and each is taken for the same. */
  lostEdit: [{ file: "common-items.ts", from: "!isDeepStrictEqual(item, stored[index])", to: "item === undefined" }],
  /** What a node changed in place and returned is not looked at again. */
  missedMutation: [{ file: "known-items.ts", from: "this.#marks.delete(value);", to: "" }],
};

/** The checkpoint room of a copy of the sources in which something is wrong. */
export interface PatchedSource {
  readonly checkpoint: typeof Checkpoint;
  /** Removes the copy. */
  readonly remove: () => Promise<void>;
}

/** @throws when the text of a patch is not there any more, or not once */
export async function patchedSource(patches: readonly SourcePatch[]): Promise<PatchedSource> {
  const root = fileURLToPath(new URL("../../../..", import.meta.url));
  const directory = await mkdtemp(join(await realpath(tmpdir()), "perdure-faulty-"));
  const remove = (): Promise<void> => rm(directory, { recursive: true });
  try {
    await cp(join(root, "src"), join(directory, "src"), { recursive: true });
    await cp(join(root, "package.json"), join(directory, "package.json"));
    await symlink(join(root, "node_modules"), join(directory, "node_modules"));
    for (const { file, from, to } of patches) {
      const path = join(directory, "src", "checkpoint", "postgres", file);
      const parts = (await readFile(path, "utf8")).split(from);
      if (parts.length !== 2) throw new Error(`${file} has the text to replace ${parts.length - 1} times: ${from}`);
      await writeFile(path, parts.join(to));
    }
    const index = pathToFileURL(join(directory, "src", "checkpoint", "index.ts")).href;
    return { checkpoint: (await import(/* @vite-ignore */ index)) as typeof Checkpoint, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
