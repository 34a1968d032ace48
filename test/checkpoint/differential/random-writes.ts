import { DELTA_CHANNEL, LIST_CHANNELS, VALUE_CHANNELS } from "./channels.ts";
import type { Moment } from "./moment.ts";
import type { WritesStep } from "./step.ts";
import { placeOf } from "./thread-models.ts";
import type { Found } from "./thread-models.ts";

const CHANNELS = [...LIST_CHANNELS, ...VALUE_CHANNELS, DELTA_CHANNEL, DELTA_CHANNEL, "__pregel_tasks"];

/** The result of a task. */
export function resultOf(
  moment: Moment,
  found: Found,
  task = moment.newTask(),
  how: Partial<WritesStep> = {},
): WritesStep {
  const { choices } = moment;
  const writes = Array.from({ length: choices.between(1, 5) }, () => {
    const channel = choices.pick(CHANNELS);
    const lists = ["item", "items", "items", "given", "value"] as const;
    const what = VALUE_CHANNELS.includes(channel) ? "value" : choices.pick(lists);
    return { channel, what: channel === "__pregel_tasks" ? ("send" as const) : what, seed: choices.seed() };
  });
  if (!found.checkpoint.tasks.includes(task)) found.checkpoint.tasks.push(task);
  return {
    kind: "writes",
    ...placeOf(found),
    id: found.checkpoint.id,
    task,
    writes,
    disturb: choices.chance(5),
    guarded: choices.chance(30),
    ...how,
  };
}

/** Another result of a task that has one: the first one stays. */
export function anotherResultOf(moment: Moment, found: Found): WritesStep {
  const task = moment.choices.pick(found.checkpoint.tasks);
  return resultOf(moment, found, task, { guarded: moment.choices.chance(60) });
}

/** An error, a question, an answer: each replaces the one before. */
export function specialWrites(moment: Moment, found: Found): WritesStep {
  const { choices } = moment;
  if (choices.chance(10)) return handledError(moment, found);
  const special = [
    { channel: "__error__", what: "error", seed: choices.seed() },
    { channel: "__interrupt__", what: "interrupt", seed: choices.seed() },
    { channel: "__resume__", what: "resume", seed: choices.seed() },
    { channel: "__scheduled__", what: "value", seed: choices.seed() },
  ] as const;
  const wanted = special.filter(() => choices.chance(40));
  const known = choices.chance(50) ? choices.pickAny(found.checkpoint.tasks) : undefined;
  return specialStep(found, known ?? moment.newTask("aaaaaaaa"), wanted.length > 0 ? wanted : [special[1]]);
}

/** An error that goes to the node's error handler: a special write and another one in one call. */
function handledError(moment: Moment, found: Found): WritesStep {
  const [error, source] = [moment.choices.seed(), moment.choices.seed()];
  return specialStep(found, moment.newTask("bbbbbbbb"), [
    { channel: "__error__", what: "error", seed: error },
    { channel: "__error_source_node__", what: "error", seed: source },
  ]);
}

function specialStep(found: Found, task: string, writes: WritesStep["writes"]): WritesStep {
  return { kind: "writes", ...placeOf(found), id: found.checkpoint.id, task, writes, disturb: false, guarded: false };
}
