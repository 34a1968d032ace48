import { MemorySaver } from "@langchain/langgraph-checkpoint";
import { dropKeptValue, keepValue, readKeptValue } from "../../checkpoint/index.ts";
import type { Checkpointer } from "../../checkpoint/index.ts";
import { PerdureError } from "../../errors/index.ts";
import type { WireValue } from "./protocol.ts";

/** LangGraph's own, which it exports only so. */
const serializer = new MemorySaver().serde;

/** Temporal warns of payloads beyond it: what is larger goes to the checkpointer, where there is one. */
const LARGEST_BYTES = 256 * 1024;
/** Temporal refuses two megabytes and more, and there is something around a value. */
const LARGEST_WITHOUT_CHECKPOINTER = 1_900_000;

/** Bytes that are a value by themselves. */
interface WireBytes {
  readonly __perdure_bytes: string;
}

/** A value that is kept in the checkpointer. */
interface WireKept {
  readonly __perdure_kept: string;
}

/** What stands for a value that was kept, and dropped when it had been used. */
export const GONE = Symbol("gone");

/**
 * Values of graphs as JSON for Temporal's history: messages and the like in LangChain's own form, so that they come
 * back as what they are. Large ones stay out of it, where both sides have the checkpointer.
 */
export class WireCodec {
  readonly #checkpointer: Checkpointer | undefined;

  constructor(checkpointer: Checkpointer | undefined) {
    this.#checkpointer = checkpointer;
  }

  /** @throws VALUE_UNSERIALIZABLE, VALUE_TOO_LARGE */
  async encode(value: unknown): Promise<WireValue> {
    const wire = await toJson(value);
    const bytes = sizeOf(wire);
    if (bytes <= LARGEST_BYTES) return wire;
    if (this.#checkpointer !== undefined) {
      return { __perdure_kept: await keepValue(this.#checkpointer, value) } satisfies WireKept;
    }
    if (bytes <= LARGEST_WITHOUT_CHECKPOINTER) return wire;
    throw new PerdureError("VALUE_TOO_LARGE", `A value of ${bytes} bytes is too large for Temporal's history.`, {
      hint: "Pass the workers' checkpointer to createTemporalExecutor: large values then go through it.",
    });
  }

  /** @returns {@link GONE} for a value that was dropped */
  async decode(wire: WireValue): Promise<unknown> {
    if (isBytes(wire)) return new Uint8Array(Buffer.from(wire.__perdure_bytes, "base64"));
    if (!isKept(wire)) return (await serializer.loadsTyped("json", JSON.stringify(wire))) as unknown;
    if (this.#checkpointer === undefined) {
      throw new PerdureError("OPTIONS_INVALID", "A value of the run is too large for Temporal's history.", {
        hint: "Pass the workers' checkpointer to createTemporalExecutor.",
      });
    }
    const kept = await readKeptValue(this.#checkpointer, wire.__perdure_kept);
    return kept === undefined ? GONE : kept.value;
  }

  /** Removes what was kept for these values, once it was used. */
  async drop(wires: readonly WireValue[]): Promise<void> {
    if (this.#checkpointer === undefined) return;
    for (const wire of wires.filter(isKept)) await dropKeptValue(this.#checkpointer, wire.__perdure_kept);
  }
}

/** The bytes of a value in the history. */
export function sizeOf(wire: WireValue): number {
  return Buffer.byteLength(JSON.stringify(wire) ?? "");
}

/** A value as JSON, however large. @throws VALUE_UNSERIALIZABLE */
export async function toJson(value: unknown): Promise<WireValue> {
  const [type, data] = await serializer.dumpsTyped(value ?? null);
  if (type === "bytes") return { __perdure_bytes: Buffer.from(data).toString("base64") } satisfies WireBytes;
  try {
    return JSON.parse(new TextDecoder().decode(data)) as WireValue;
  } catch (cause) {
    throw new PerdureError("VALUE_UNSERIALIZABLE", "A value can't be sent to Temporal: it is not JSON.", {
      hint: "Functions and symbols can't be sent.",
      cause,
    });
  }
}

function isBytes(wire: WireValue): wire is WireBytes {
  return typeof wire === "object" && wire !== null && "__perdure_bytes" in wire;
}

function isKept(wire: WireValue): wire is WireKept {
  return typeof wire === "object" && wire !== null && "__perdure_kept" in wire;
}
