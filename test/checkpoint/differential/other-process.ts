/**
 * A process for tests: an actor on the store that the first message names. It does what it is sent. Values
 * travel as the text that LangGraph's serializer makes of them.
 */
import { MemorySaver } from "@langchain/langgraph-checkpoint";
import { openCheckpointer } from "perdure/checkpoint";
import { collect } from "../../support/collect.ts";
import { localActor } from "./actor.ts";
import type { Actor } from "./actor.ts";
import type { Call, FromOtherProcess, ToOtherProcess } from "./other-process-actor.ts";
import type { SaverMethod } from "./remote-saver.ts";

const { serde } = new MemorySaver();
let actor: Actor | undefined;

async function perform(call: Call): Promise<unknown> {
  if (call.name === "open") {
    actor = await localActor(() => openCheckpointer(call.url, call.options));
    return undefined;
  }
  if (actor === undefined) throw new Error("Nothing is open.");
  if (call.name === "run") return actor.run(call.step);
  if (call.name === "saver") return callSaver(actor, call.method, call.args);
  if (call.name === "forget") return actor.forget(call.what);
  return actor[call.name]();
}

async function callSaver({ saver }: Actor, method: SaverMethod, args: string): Promise<unknown> {
  const values = (await serde.loadsTyped("json", args)) as never[];
  if (method === "list") return collect(saver.list(...(values as unknown as Parameters<typeof saver.list>)));
  return (saver[method] as (...all: never[]) => Promise<unknown>).apply(saver, values);
}

async function answer({ id, call }: ToOtherProcess): Promise<FromOtherProcess> {
  try {
    const [, bytes] = await serde.dumpsTyped([await perform(call)]);
    return { id, answer: Buffer.from(bytes).toString() };
  } catch (error) {
    return { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

process.on("message", (message: ToOtherProcess) => {
  void answer(message).then((reply) =>
    process.send?.(reply, () => {
      if (message.call.name === "close") process.disconnect();
    }),
  );
});
