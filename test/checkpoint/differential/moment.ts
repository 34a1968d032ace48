import { Choices } from "./choices.ts";
import type { CheckpointModel, Found, ThreadModel, ThreadModels } from "./thread-models.ts";

const NAMESPACES = ["", "", "", "", "", "", "ask:1", "ask:1|inner:2", "ask:10", "ü|x"];

/** What the steps of one operation are chosen with; its decisions and ids follow from the seed and its number. */
export class Moment {
  readonly choices: Choices;
  readonly threads: ThreadModels;
  /** The saver's `getNextVersion`. */
  readonly nextVersion: (current: number | undefined) => number;
  readonly #index: number;
  #ids = 0;

  constructor(
    index: number,
    options: { seed: number; threads: ThreadModels; nextVersion: (current: number | undefined) => number },
  ) {
    this.choices = new Choices(options.seed, index);
    this.threads = options.threads;
    this.nextVersion = options.nextVersion;
    this.#index = index;
  }

  thread(): ThreadModel {
    return this.choices.pick(this.threads.inUse);
  }

  namespace(): string {
    return this.choices.pick(NAMESPACES);
  }

  /** Any checkpoint that is wanted, of one thread; undefined where there is none. */
  checkpoint(wanted: (one: CheckpointModel) => boolean = () => true, thread = this.thread()): Found | undefined {
    const checkpoint = this.choices.pickAny([...thread.checkpoints.values()].filter(wanted));
    return checkpoint && { thread, checkpoint };
  }

  /** An id like LangGraph's: later ones are greater, unless `behind` says by how many operations they are not. */
  newId(behind = 0): string {
    this.#ids += 1;
    const time = (0x1f000000 + this.#index - behind).toString(16).padStart(8, "0");
    return `${time}-${this.#ids.toString(16).padStart(4, "0")}-6000-8000-${this.#hex()}`;
  }

  /** The id of a task that has no writes yet. */
  newTask(prefix = "00000000"): string {
    return `${prefix}-0000-5000-8000-${this.#hex()}`;
  }

  #hex(): string {
    const digits = this.choices.seed().toString(16) + this.choices.seed().toString(16);
    return digits.padStart(12, "0").slice(0, 12);
  }
}
