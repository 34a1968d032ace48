import { PerdureError } from "../errors/index.ts";

/** An error as the state keeps it. */
export interface StoredError {
  readonly name: string;
  readonly message: string;
  /** The error's own `code`, such as a {@link PerdureError}'s. */
  readonly code?: string;
  readonly cause?: StoredError;
}

/** What became of a node that did not do its work. */
export type NodeFailure =
  | { readonly node: string; readonly status: "failed"; readonly error: StoredError }
  /** Never started, because of nodes it comes after. */
  | { readonly node: string; readonly status: "stopped"; readonly because: readonly string[] }
  /** Had done its work, which was undone because of the others. */
  | { readonly node: string; readonly status: "undone" }
  /** Had done its work, which could not be undone. */
  | { readonly node: string; readonly status: "not-undone"; readonly error: StoredError };

/** How many causes of causes are kept. */
const MAX_CAUSES = 5;

/** What the state keeps of an error. */
export function storedError(error: unknown, causes = MAX_CAUSES): StoredError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, cause } = error;
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  const deeper = cause === undefined || causes === 0 ? {} : { cause: storedError(cause, causes - 1) };
  return { name, message, ...code, ...deeper };
}

/** The one error that reports them all. Its cause is an `AggregateError` of what the nodes failed with. */
export function nodesFailed(what: string, failures: readonly NodeFailure[]): PerdureError {
  const list = failures.map((failure) => `\n- ${describe(failure)}`).join("");
  const errors = failures.flatMap((failure) => ("error" in failure ? [restored(failure.error)] : []));
  return new PerdureError("NODES_FAILED", `${what} did not get done:${list}\n`, {
    hint: "What did get done is kept; continuing the thread runs the rest again.",
    cause: new AggregateError(errors, "What the nodes failed with."),
  });
}

function describe(failure: NodeFailure): string {
  const node = `"${failure.node}"`;
  switch (failure.status) {
    case "failed":
      return `${node} failed: ${failure.error.message}`;
    case "stopped":
      return `${node} did not start, because of ${failure.because.map((name) => `"${name}"`).join(", ")}`;
    case "undone":
      return `${node} was undone`;
    case "not-undone":
      return `${node} could not be undone: ${failure.error.message}`;
  }
}

function restored({ name, message, code, cause }: StoredError): Error {
  const error = new Error(message, cause === undefined ? undefined : { cause: restored(cause) });
  return Object.assign(error, { name }, code === undefined ? {} : { code });
}
