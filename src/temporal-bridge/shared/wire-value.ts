import { MemorySaver } from "@langchain/langgraph-checkpoint";
import { PerdureError } from "../../errors/index.ts";
import type { WireValue } from "./protocol.ts";

/** LangGraph's own, which it exports only so. */
const serializer = new MemorySaver().serde;

/** What stands for bytes that are a value by themselves. */
interface WireBytes {
  readonly __perdure_bytes: string;
}

/**
 * A value of a graph as JSON for Temporal's history: messages and the like in LangChain's own form, so that they
 * come back as what they are.
 * @throws VALUE_UNSERIALIZABLE
 */
export async function toWire(value: unknown): Promise<WireValue> {
  const [type, data] = await serializer.dumpsTyped(value ?? null);
  if (type === "bytes") return { __perdure_bytes: Buffer.from(data).toString("base64") } satisfies WireBytes;
  const text = new TextDecoder().decode(data);
  try {
    return JSON.parse(text) as WireValue;
  } catch (cause) {
    throw new PerdureError("VALUE_UNSERIALIZABLE", "A value can't be sent to Temporal: it is not JSON.", {
      hint: "Functions and symbols can't be sent.",
      cause,
    });
  }
}

/** The value that {@link toWire} was given. */
export async function fromWire(wire: WireValue): Promise<unknown> {
  if (isBytes(wire)) return new Uint8Array(Buffer.from(wire.__perdure_bytes, "base64"));
  return (await serializer.loadsTyped("json", JSON.stringify(wire))) as unknown;
}

function isBytes(wire: WireValue): wire is WireBytes {
  return typeof wire === "object" && wire !== null && "__perdure_bytes" in wire;
}
