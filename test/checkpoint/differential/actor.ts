import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type { Step } from "./step.ts";
import { Workbench } from "./workbench.ts";
import type { Answer } from "./workbench.ts";

/** Somebody who works with a store: an instance of a saver, in this process or in another one. */
export interface Actor {
  /** The saver that it has open now. */
  readonly saver: BaseCheckpointSaver;
  /** Does a step, with what it holds. */
  run(step: Step): Promise<Answer>;
  /** Ruins what it read last. */
  spoil(): Promise<void>;
  forget(what?: { readonly thread?: string; readonly id?: string }): Promise<void>;
  /** Closes the saver and opens it again; what it and its workbench held is gone. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

/** A saver that may have something to free. */
export type ClosableSaver = BaseCheckpointSaver & { close?(): Promise<void> };

/** An actor in this process. */
export async function localActor(open: () => Promise<ClosableSaver>): Promise<Actor> {
  let saver = await open();
  let workbench = new Workbench(saver);
  return {
    get saver() {
      return saver;
    },
    run: (step) => workbench.run(step),
    spoil: async () => workbench.spoil(),
    forget: async (what) => workbench.forget(what),
    async reopen() {
      await saver.close?.();
      saver = await open();
      workbench = new Workbench(saver);
    },
    close: async () => saver.close?.(),
  };
}
