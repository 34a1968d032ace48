import { ChatOpenAI } from "@langchain/openai";
import { startOpenAiServer } from "../../support/openai-server.ts";
import type { OpenAiServer, Script } from "../../support/openai-server.ts";

/** What surrounds one copy of a graph: the ledger of its side effects, and the models it talks to. */
export class World {
  readonly #counts = new Map<string, number>();
  readonly #servers: OpenAiServer[] = [];

  /** Notes a side effect; returns how often it has happened by now. */
  note(what: string): number {
    const count = (this.#counts.get(what) ?? 0) + 1;
    this.#counts.set(what, count);
    return count;
  }

  /** How often each side effect has happened. */
  get ledger(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].toSorted(([one], [other]) => (one < other ? -1 : 1)));
  }

  /** A model behind HTTP that says what the script says. */
  async model(script: Script): Promise<ChatOpenAI> {
    const server = await startOpenAiServer(script);
    this.#servers.push(server);
    const configuration = { baseURL: server.baseURL };
    return new ChatOpenAI({ model: "scripted", apiKey: "none", maxRetries: 0, configuration });
  }

  async close(): Promise<void> {
    for (const server of this.#servers) await server.close();
  }
}
