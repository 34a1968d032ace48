/** Starts what a model needs on this machine. It runs beside the workers, as a provider does, and outlives them. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { serveChatCompletions } from "../local-model/chat-completions-server.ts";
import { UsageError } from "./command-line.ts";
import type { ModelName } from "./command-line.ts";
import { scriptedReply } from "./scripted-agent.ts";

/** How long the scripted model seems to think, and between two words, in milliseconds. */
const THINKING_MS = 150;
const WORD_MS = 15;

/** A model that can be asked. */
export interface ModelServer {
  /** Where; undefined for a provider's own address. */
  readonly url: string | undefined;
  /** Who answers, for the person at the terminal. */
  readonly description: string;
  close(): Promise<void>;
}

/** Starts the model's server, or, for a provider, looks that there is a key. @throws UsageError without one */
export async function startModelServer(name: ModelName): Promise<ModelServer> {
  switch (name) {
    case "scripted": {
      const server = await serveChatCompletions({
        reply: async (request, signal) => {
          await pause(THINKING_MS, undefined, { signal });
          return scriptedReply(request);
        },
        pieceDelayMs: WORD_MS,
      });
      return {
        ...server,
        description: "a script, not a language model (see --help), served over OpenAI's HTTP protocol",
      };
    }
    case "local":
      return startLocalModel();
    case "openai":
      return provider("OPENAI_API_KEY", "OpenAI");
    case "anthropic":
      return provider("ANTHROPIC_API_KEY", "Anthropic");
  }
}

function provider(key: string, description: string): ModelServer {
  if (!process.env[key]) throw new UsageError(`This model needs a key in the environment variable ${key}.`);
  return { url: undefined, description, close: async () => undefined };
}

/** In a process of its own: while it thinks, it leaves no time for anything else. */
async function startLocalModel(): Promise<ModelServer> {
  const child = fork(new URL("../local-model/serve.ts", import.meta.url), { stdio: ["ignore", 2, 2, "ipc"] });
  const failed = once(child, "exit").then(() => {
    throw new Error("The local model could not be started.");
  });
  const [{ url }] = (await Promise.race([once(child, "message"), failed])) as [{ url: string }];
  failed.catch(() => undefined); // from here on its end is ours to bring about
  return {
    url,
    description: "SmolLM2-135M-Instruct on this CPU: a real language model, and a very small one",
    close: async () => {
      child.disconnect();
      if (child.exitCode === null) await once(child, "exit");
    },
  };
}
