import { spawn } from "node:child_process";
import { once } from "node:events";

/** How a command ended. */
export interface CommandResult {
  readonly ok: boolean;
  /** What went wrong, in a few words; empty if nothing did. */
  readonly why: string;
  readonly stdout: string;
  /** stdout and stderr as they came. */
  readonly output: string;
  readonly durationMs: number;
}

export interface CommandOptions {
  /** After this the command and all it has started are killed: it hangs, however busy the machine is. @default 2_400_000 */
  readonly timeoutMs?: number;
  readonly env?: NodeJS.ProcessEnv;
}

const running = new Set<number>();

/** Runs a command without stdin and keeps what it prints. Never throws for a command that fails. */
export async function runCommand(
  command: string,
  args: readonly string[],
  { timeoutMs = 2_400_000, env = process.env }: CommandOptions = {},
): Promise<CommandResult> {
  const started = performance.now();
  const ended = (why: string, stdout: string, output: string): CommandResult => {
    return { ok: why === "", why, stdout, output, durationMs: performance.now() - started };
  };
  // A process group of its own, so that what it has started ends with it.
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const { pid } = child;
  if (pid === undefined) {
    const [error] = (await once(child, "error")) as [Error];
    return ended(`could not be run: ${error.message}`, "", "");
  }
  running.add(pid);
  let stdout = "";
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    killGroup(pid, "SIGKILL");
  }, timeoutMs);
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  clearTimeout(timer);
  running.delete(pid);
  if (late) return ended(`not done after ${timeoutMs / 1_000} s`, stdout, output);
  return ended(code === 0 ? "" : signal === null ? `exit code ${code}` : signal, stdout, output);
}

/** The last line of a text that is not empty. */
export function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It is gone already.
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => {
    for (const pid of running) killGroup(pid, signal);
    process.kill(process.pid, signal);
  });
}
