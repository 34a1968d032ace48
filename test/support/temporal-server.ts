import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Connection } from "@temporalio/client";
import { onFreePort } from "./on-free-port.ts";
import { findTemporal } from "./temporal-binaries.ts";

/** A Temporal development server that belongs to this process, on 127.0.0.1. */
export interface TemporalServer {
  /** Host and port; the same before and after a restart. */
  readonly address: string;
  /** Ends the server, by default as a crash would, and starts it again: with a database file, on what it has stored. */
  restart(signal?: "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Ends the server. A second call does nothing. */
  stop(): Promise<void>;
}

/** How a server is started. */
export interface TemporalServerOptions {
  /** Where it keeps its data. @default in memory */
  readonly databaseFile?: string;
  /** @default a free one */
  readonly port?: number;
  /** Its dynamic configuration, such as `limit.historyCount.suggestContinueAsNew`. @default as it comes */
  readonly dynamicConfig?: Readonly<Record<string, number>>;
}

const startTimeoutMs = 60_000;

// Ends the server when this process dies, even by SIGKILL: then comes the end of stdin.
const supervisor = `
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r signal <&3 || :; kill -s "\${signal:-KILL}" "$server"; } 2>/dev/null &
wait "$server"`;

/** @throws when there is no Temporal, or it doesn't start */
export async function startTemporal(options: TemporalServerOptions = {}): Promise<TemporalServer> {
  const { cli } = await findTemporal();
  const args = ["server", "start-dev", "--headless", "--ip", "127.0.0.1", "--log-level", "error"];
  if (options.databaseFile !== undefined) args.push("--db-filename", options.databaseFile);
  for (const [name, value] of Object.entries(options.dynamicConfig ?? {})) {
    args.push("--dynamic-config-value", `${name}=${value}`);
  }
  const launch = (on: number) => start(cli, [...args, "--port", String(on)], on);
  const { port: given } = options;
  const first = await onFreePort(launch, given === undefined ? undefined : () => given);
  const { port } = first;
  let end = first.server;
  let isStopped = false;
  return {
    address: `127.0.0.1:${port}`,
    async restart(signal = "SIGKILL") {
      await end(signal);
      // of the ports that it has besides, one may be somebody else's
      ({ server: end } = await onFreePort(launch, () => port));
    },
    async stop() {
      if (isStopped) return;
      isStopped = true;
      await end("SIGKILL");
    },
  };
}

/** Starts the server and waits until it answers calls; returns what ends it. */
async function start(cli: string, args: string[], port: number): Promise<(signal: string) => Promise<void>> {
  const child = spawn("sh", ["-c", supervisor, "sh", cli, ...args], { stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.stdin.on("error", () => {}); // it has ended by itself
  // "close" and not "exit", which may come before what it said
  const close = once(child, "close");
  const end = async (signal: string): Promise<void> => {
    child.stdin.end(`${signal.replace(/^SIG/, "")}\n`);
    await close;
  };
  const deadline = Date.now() + startTimeoutMs;
  while (!(await answers(port))) {
    if (child.exitCode !== null) {
      await end("SIGKILL");
      throw new Error(`The Temporal server ended: ${said}`);
    }
    if (Date.now() > deadline) {
      await end("SIGKILL");
      throw new Error(`The Temporal server does not answer: ${said}`);
    }
    await delay(20);
  }
  return end;
}

async function answers(port: number): Promise<boolean> {
  try {
    const connection = await Connection.connect({ address: `127.0.0.1:${port}`, connectTimeout: 1_000 });
    await connection.close();
    return true;
  } catch {
    return false;
  }
}
