import { z } from "zod";
import { PerdureError, parseOptions } from "../errors/index.ts";
import { isStorableId } from "./stored-id.ts";

const threadIdSchema = z.custom<string>(
  (id) => typeof id === "string" && id !== "" && isStorableId(id),
  "the id of a thread is text that is not empty, well-formed and without NUL",
);
const placesSchema = z.object({ from: threadIdSchema, to: threadIdSchema });

/** Checks where a thread is copied from and to: what cannot be the id of a thread is OPTIONS_INVALID. */
export function copyPlaces(...places: readonly [from: string, to: string]): [from: string, to: string] {
  const { from, to } = parseOptions("copyThread", placesSchema, { from: places[0], to: places[1] });
  return [from, to];
}

/** The error for a thread to copy that is not there. */
export function threadNotFound(threadId: string): PerdureError {
  return new PerdureError("THREAD_NOT_FOUND", `There is no thread "${threadId}" to copy.`, {
    hint: "Check the id and the checkpointer; `listThreads` says what is there.",
  });
}

/** The error for a place to copy to that is taken. */
export function threadExists(threadId: string): PerdureError {
  return new PerdureError("THREAD_EXISTS", `There is a thread "${threadId}" already, so nothing was copied to it.`, {
    hint: "Choose another id, or delete that thread first.",
  });
}
