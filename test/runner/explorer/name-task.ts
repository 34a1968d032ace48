import { interruptId } from "perdure/checkpoint";
import type { Names } from "./names.ts";

/** How many questions of a task get a name. */
const QUESTIONS = 3;

/** Names a task, unless it has a name, and the questions that it may ask. */
export function nameTask(names: Names, taskId: string, name: string): void {
  if (names.has(taskId)) return;
  names.give(taskId, name);
  for (let answers = 0; answers < QUESTIONS; answers += 1)
    names.give(interruptId(taskId, answers), `${name}?${answers}`);
}
