import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A process that has a checkpointer open; see hold-open.ts. */
export interface OtherProcess {
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** Its exit code, when it ended by itself. */
  readonly ended: Promise<number | null>;
}

/** Starts it, and waits until it has opened the checkpointer and done what it was asked. */
export async function openInOtherProcess(
  url: string,
  action: "hold" | "put" | "lock" | "release" | "close",
  threadId = "",
): Promise<OtherProcess> {
  const script = fileURLToPath(new URL("hold-open.ts", import.meta.url));
  const child = spawn(process.execPath, ["--conditions=perdure-source", script, url, action, threadId], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  // "close" and not "exit": that may come before what the process had written.
  const ended = once(child, "close").then(([code]) => code as number | null);
  const ready = once(child.stdout, "data");
  const first = await Promise.race([ready.then(() => "ready"), ended]);
  if (first !== "ready") throw new Error(`The other process ended with ${first} before it was ready.`);
  return {
    ended,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
