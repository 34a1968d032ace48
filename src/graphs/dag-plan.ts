import { PerdureError } from "../errors/index.ts";
import { elementaryCycles, type Link } from "./cycles.ts";

/** In which order the nodes of a DAG come. */
export interface DagPlan {
  /** The nodes, each after those it comes after; what is free keeps the order it was given in. */
  readonly order: readonly string[];
  /** The nodes that come after no other. */
  readonly roots: readonly string[];
  /** The nodes that no other comes after. */
  readonly leaves: readonly string[];
}

/** What is asked of a plan. */
export interface DagRequest {
  readonly after: ReadonlyMap<string, readonly string[]>;
  /** The names nothing may have. */
  readonly reserved: readonly string[];
  readonly entry: readonly string[] | undefined;
  readonly finish: readonly string[] | undefined;
}

/**
 * Orders the nodes of a DAG by their dependencies.
 *
 * @throws {PerdureError} `GRAPH_INVALID` for a cycle (with its way), an unknown or reserved name, and where `entry` or
 *   `finish` are not what the dependencies make them.
 */
export function planDag({ after, reserved, entry, finish }: DagRequest): DagPlan {
  const names = [...after.keys()];
  const taken = names.find((name) => reserved.includes(name));
  if (taken !== undefined)
    throw invalid(`"${taken}" can't be the name of a node.`, "The builder has a node of that name.");
  for (const [name, before] of after) {
    const unknown = before.find((other) => !after.has(other));
    if (unknown !== undefined)
      throw invalid(`"${name}" comes after "${unknown}", which is no node.`, `Nodes there are: ${names.join(", ")}.`);
  }
  const links = [...after].flatMap(([name, before]) => before.map((other): Link => [other, name]));
  const [cycle] = elementaryCycles(links, 1);
  if (cycle !== undefined) {
    throw invalid(
      `Its dependencies go round in a circle: ${[...cycle, cycle[0]].join(" -> ")}.`,
      "Take one of them out.",
    );
  }
  const roots = names.filter((name) => after.get(name)?.length === 0);
  const leaves = names.filter((name) => !links.some(([before]) => before === name));
  refuseOther("entry", "come after no other", entry, roots);
  refuseOther("finish", "have no other after them", finish, leaves);
  return { order: topological(names, after), roots, leaves };
}

function topological(names: readonly string[], after: ReadonlyMap<string, readonly string[]>): string[] {
  const order: string[] = [];
  while (order.length < names.length) {
    const next = names.find(
      (name) => !order.includes(name) && after.get(name)?.every((before) => order.includes(before)) === true,
    );
    if (next === undefined) break;
    order.push(next);
  }
  return order;
}

function refuseOther(
  option: string,
  what: string,
  said: readonly string[] | undefined,
  found: readonly string[],
): void {
  if (said === undefined) return;
  const [missing] = found.filter((name) => !said.includes(name));
  const [extra] = said.filter((name) => !found.includes(name));
  if (missing === undefined && extra === undefined) return;
  const which = missing === undefined ? `names "${extra}"` : `leaves out "${missing}"`;
  throw invalid(
    `Its \`${option}\` ${which}; the nodes that ${what} are ${found.join(", ")}.`,
    "Mend the dependencies, or leave the option out.",
  );
}

function invalid(message: string, hint: string): PerdureError {
  return new PerdureError("GRAPH_INVALID", `dag: ${message}`, { hint });
}
