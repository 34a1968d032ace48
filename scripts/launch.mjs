#!/usr/bin/env node
// Runs one command of this project with all that it needs, so that `npm start` and `npm test` work on a fresh
// clone: `node scripts/launch.mjs <command or file.ts> [arguments]`.
//
// It sees to it that
// 1. a Node.js new enough for the sources runs the command: this one, or one kept in .cache/node;
// 2. node_modules is what package-lock.json says;
// 3. `perdure` leads to src instead of dist (the export condition `perdure-source`).
//
// Plain JavaScript for Node.js 18 and later, since that is what a machine may have before step 1. It says
// what it is doing on stderr only: a command's stdout belongs to the command.

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const oldestNode = [22, 18];
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, ".cache");
const windows = process.platform === "win32";
const forwardedSignals = ["SIGINT", "SIGTERM", "SIGHUP"];

const [command, ...commandArguments] = process.argv.slice(2);
if (command === undefined) fail("say what to run: node scripts/launch.mjs <command or file.ts> [arguments]");

try {
  const present = readyNode();
  runCommand(present !== undefined && dependenciesReady() ? present : await setUp());
} catch (error) {
  fail(error.message);
}

/** Installs what is missing, one launch at a time, and returns the path of the Node.js to use. */
async function setUp() {
  const release = await lock(join(cache, "launch.lock"));
  try {
    // Another launch may have done it while this one waited.
    const node = readyNode() ?? (await installNode());
    if (!dependenciesReady()) await installDependencies(node);
    return node;
  } finally {
    release();
  }
}

/** Runs the command in place of this process as far as that can be had: stdio, signals and exit status are its own. */
function runCommand(node) {
  const isFile = /\.[cm]?[jt]s$/.test(command);
  const child = spawn(isFile ? node : command, isFile ? [command, ...commandArguments] : commandArguments, {
    stdio: "inherit",
    env: environmentWith(node),
    // Commands in node_modules/.bin are .cmd files there.
    shell: windows && !isFile,
  });
  for (const signal of forwardedSignals) {
    process.on(signal, () => {
      // A terminal sends its signals to every process in it, so the command has these already.
      if (process.stdin.isTTY && signal !== "SIGTERM") return;
      child.kill(signal);
    });
  }
  child.on("error", (error) => fail(`${command} could not be run: ${error.message}`));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
    // Where a signal does not end a process, the status a shell would give.
    setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 1_000);
  });
}

/** The environment in which `node` and the tools of node_modules come first. */
function environmentWith(node) {
  const pathName = Object.keys(process.env).find((name) => name.toUpperCase() === "PATH") ?? "PATH";
  const path = [dirname(node), join(root, "node_modules", ".bin"), process.env[pathName]];
  const options = (process.env.NODE_OPTIONS ?? "").split(" ").filter((option) => option !== "");
  for (const option of ["--conditions=perdure-source", "--disable-warning=ExperimentalWarning"]) {
    if (!options.includes(option)) options.push(option);
  }
  return { ...process.env, [pathName]: path.filter(Boolean).join(delimiter), NODE_OPTIONS: options.join(" ") };
}

/** The path of a Node.js that can run the sources: the present one, else the one in the cache, else undefined. */
function readyNode() {
  if (isNewEnough(process.versions.node)) return process.execPath;
  // npm writes this file last, so it is missing after an install that was cut short.
  if (!existsSync(join(cache, "node", "node_modules", ".package-lock.json"))) return undefined;
  const folder = join(cache, "node", "node_modules", nodePackage());
  const version = readJson(join(folder, "package.json"))?.version;
  const binary = join(folder, "bin", windows ? "node.exe" : "node");
  return version !== undefined && isNewEnough(version) && existsSync(binary) ? binary : undefined;
}

function isNewEnough(version) {
  const [major, minor] = version.split(".").map(Number);
  return major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1]);
}

function nodePackage() {
  return `node-${windows ? "win" : process.platform}-${process.arch}`;
}

async function installNode() {
  const prefix = join(cache, "node");
  rmSync(prefix, { recursive: true, force: true });
  mkdirSync(prefix, { recursive: true });
  writeFileSync(join(prefix, "package.json"), '{"private":true}\n');
  await npm(process.execPath, `fetching Node.js 24, as this is ${process.versions.node}`, prefix, [
    "install",
    "--no-save",
    "--no-package-lock",
    `${nodePackage()}@24`,
  ]);
  return (
    readyNode() ?? fail(`the npm package ${nodePackage()}@24 holds no Node.js of at least ${oldestNode.join(".")}`)
  );
}

/** Whether node_modules has every package of the lockfile in the lockfile's version. */
function dependenciesReady() {
  const wanted = readJson(join(root, "package-lock.json"))?.packages ?? {};
  // What npm has installed; it writes this file last.
  const installed = readJson(join(root, "node_modules", ".package-lock.json"))?.packages;
  if (installed === undefined) return false;
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    // The project itself, and packages for other platforms.
    if (path === "" || ((optional || devOptional) && !(path in installed))) return true;
    return installed[path]?.version === version;
  });
}

async function installDependencies(node) {
  await npm(node, "installing the dependencies", root, ["ci", "--include=dev", "--include=optional"]);
}

/** Runs npm on `node`, silently unless it fails, and without install scripts, as no dependency needs one. */
async function npm(node, what, directory, args) {
  const started = Date.now();
  say(`${what} …`);
  const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
  // While npm runs a script it says where its own program is; on Windows `npm` itself is a .cmd file.
  const program = process.env.npm_execpath;
  const direct = program !== undefined && /npm-cli\.c?js$/.test(program);
  const child = spawn(direct ? node : "npm", [...(direct ? [program] : []), ...args, ...quiet], {
    cwd: directory,
    // An older Node.js refuses options it doesn't know.
    env: { ...environmentWith(node), NODE_OPTIONS: process.env.NODE_OPTIONS ?? "" },
    stdio: ["ignore", "pipe", "pipe"],
    shell: windows && !direct,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  // The lock must not be left behind, nor npm go on without it.
  const stop = (signal) => child.kill(signal);
  for (const signal of forwardedSignals) process.on(signal, stop);
  const why = await new Promise((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(code === 0 ? undefined : (signal ?? `exit code ${code}`)));
  });
  for (const signal of forwardedSignals) process.removeListener(signal, stop);
  if (why !== undefined) {
    process.stderr.write(said);
    throw new Error(`${what} failed (npm ${args[0]}: ${why})`);
  }
  say(`done in ${Math.round((Date.now() - started) / 1_000)} s`);
}

/**
 * Waits until no other launch holds the lock, a directory, and returns what releases it. Its owner writes its pid
 * into it and keeps touching it, so that one left behind by a killed launch is taken over.
 */
async function lock(path) {
  mkdirSync(dirname(path), { recursive: true });
  for (let waited = false; ; waited = true) {
    try {
      mkdirSync(path);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    if (isAbandoned(path)) {
      rmSync(path, { recursive: true, force: true });
      continue;
    }
    if (!waited) say("waiting for another launch that is setting up");
    await sleep(200);
  }
  writeFileSync(join(path, "pid"), String(process.pid));
  const heartbeat = setInterval(() => utimesSync(path, new Date(), new Date()), 2_000);
  return () => {
    clearInterval(heartbeat);
    rmSync(path, { recursive: true, force: true });
  };
}

function isAbandoned(path) {
  const touchedAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (touchedAt === undefined) return false;
  if (Date.now() - touchedAt > 30_000) return true;
  const pid = readJson(join(path, "pid"));
  if (typeof pid !== "number") return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === "ESRCH";
  }
}

/** The content of a JSON file, or undefined while there is none that is whole. */
function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

function say(what) {
  process.stderr.write(`perdure: ${what}\n`);
}

function fail(why) {
  say(why);
  process.exit(1);
}
