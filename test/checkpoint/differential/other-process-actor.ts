import { MemorySaver } from "@langchain/langgraph-checkpoint";
import type { OpenCheckpointerOptions } from "perdure/checkpoint";
import { startProcess } from "../../support/crash-process.ts";
import type { Actor } from "./actor.ts";
import { RemoteSaver } from "./remote-saver.ts";
import type { SaverMethod } from "./remote-saver.ts";
import type { Step } from "./step.ts";

/** What the other process is to do. */
export type Call =
  | { readonly name: "open"; readonly url: string; readonly options: OpenCheckpointerOptions }
  | { readonly name: "run"; readonly step: Step }
  | { readonly name: "saver"; readonly method: SaverMethod; readonly args: string }
  | { readonly name: "forget"; readonly what: { readonly thread?: string; readonly id?: string } | undefined }
  | { readonly name: "spoil" | "reopen" | "close" };

/** A message to the other process. */
export interface ToOtherProcess {
  readonly id: number;
  readonly call: Call;
}

/** Its answer, in LangGraph's JSON. */
export interface FromOtherProcess {
  readonly id: number;
  readonly answer?: string;
  readonly error?: string;
}

/** An actor in a process of its own, with a cache of its own. */
export async function otherProcessActor(url: string, options: OpenCheckpointerOptions): Promise<Actor> {
  const { process: child, ended } = startProcess(new URL("other-process.ts", import.meta.url));
  const { serde } = new MemorySaver();
  const waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  let calls = 0;

  const send = (call: Call): Promise<unknown> =>
    new Promise((resolve, reject) => {
      calls += 1;
      waiting.set(calls, { resolve, reject });
      child.send({ id: calls, call } satisfies ToOtherProcess, (error) => error && reject(error));
    });
  const receive = async ({ id, answer, error }: FromOtherProcess): Promise<void> => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (error !== undefined || answer === undefined) call?.reject(new Error(`In the other process: ${error}`));
    else call?.resolve(((await serde.loadsTyped("json", answer)) as unknown[])[0]);
  };
  child.on("message", (message) => void receive(message as FromOtherProcess));
  void ended.then(({ code, signal, said }) => {
    const error = new Error(`The other process ended with ${code ?? signal}: ${said}`);
    for (const { reject } of waiting.values()) reject(error);
  });

  await send({ name: "open", url, options });
  const saver = new RemoteSaver(async (method, args) => {
    const [, bytes] = await serde.dumpsTyped(args);
    return send({ name: "saver", method, args: Buffer.from(bytes).toString() });
  });
  return {
    saver,
    run: (step) => send({ name: "run", step }),
    spoil: async () => void (await send({ name: "spoil" })),
    forget: async (what) => void (await send({ name: "forget", what })),
    reopen: async () => void (await send({ name: "reopen" })),
    async close() {
      await send({ name: "close" });
      await ended;
    },
  };
}
