/** Loaded in each thread of a worker's process before anything else: collects a thread's garbage and says what is left. */
import { getHeapStatistics } from "node:v8";
import { BroadcastChannel, isMainThread } from "node:worker_threads";
import { collectGarbage } from "../collect-garbage.ts";

/** The JavaScript heap of a thread after all garbage is collected. */
export interface ThreadHeap {
  readonly usedBytes: number;
  /** What V8 keeps of the system's memory and does not use. */
  readonly unusedBytes: number;
}

const ASK = "perdure-bench-ask";
const ANSWER = "perdure-bench-answer";

if (!isMainThread) {
  const answers = new BroadcastChannel(ANSWER);
  const questions = new BroadcastChannel(ASK);
  questions.onmessage = () => answers.postMessage(heapOfThisThread());
  for (const channel of [answers, questions]) channel.unref();
}

/** The heap of the thread that asks. */
export function heapOfThisThread(): ThreadHeap {
  collectGarbage();
  const { used_heap_size, total_physical_size } = getHeapStatistics();
  return { usedBytes: used_heap_size, unusedBytes: total_physical_size - used_heap_size };
}

/** The heap of the only other thread, in which Temporal runs workflows. */
export async function heapOfWorkflowThread(): Promise<ThreadHeap> {
  const answers = new BroadcastChannel(ANSWER);
  const questions = new BroadcastChannel(ASK);
  try {
    return await new Promise<ThreadHeap>((resolve) => {
      answers.onmessage = (event) => resolve((event as { data: ThreadHeap }).data);
      questions.postMessage("");
    });
  } finally {
    answers.close();
    questions.close();
  }
}
