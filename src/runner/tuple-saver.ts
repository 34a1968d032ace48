import { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type { CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { RunnableConfig } from "@langchain/core/runnables";

/** A read-only saver that holds one checkpoint already read, so that looking at it reads nothing again. */
export class TupleSaver extends BaseCheckpointSaver {
  readonly #tuple: CheckpointTuple;
  readonly #behind: BaseCheckpointSaver;

  /** @param behind where the history of delta channels is read from */
  constructor(tuple: CheckpointTuple, behind: BaseCheckpointSaver) {
    super();
    this.#tuple = tuple;
    this.#behind = behind;
  }

  override getTuple(): Promise<CheckpointTuple> {
    return Promise.resolve(this.#tuple);
  }

  override async *list(): AsyncGenerator<CheckpointTuple> {
    yield this.#tuple;
  }

  override getDeltaChannelHistory: BaseCheckpointSaver["getDeltaChannelHistory"] = (options) =>
    this.#behind.getDeltaChannelHistory(options);

  override put(): Promise<RunnableConfig> {
    return readOnly();
  }

  override putWrites(): Promise<void> {
    return readOnly();
  }

  override deleteThread(): Promise<void> {
    return readOnly();
  }
}

function readOnly(): Promise<never> {
  return Promise.reject(new Error("This saver only shows a checkpoint."));
}
