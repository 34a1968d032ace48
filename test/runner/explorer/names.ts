const ID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32}/gu;
const TIME = /\d{4}-\d\d-\d\dT[\d:.]+Z/gu;

/**
 * Names for ids, which are random, so that what happened in one schedule compares with another one: a checkpoint is
 * called by who made it, a task by its checkpoint and node, an interrupt by its task.
 */
export class Names {
  readonly #names: Map<string, string>;
  readonly #ids: Map<string, string>;
  readonly #counts: Map<string, number>;

  /** @param known what has a name already; that one stays as it is */
  constructor(known?: Names) {
    this.#names = new Map(known === undefined ? [] : known.#names);
    this.#ids = new Map(known === undefined ? [] : known.#ids);
    this.#counts = new Map(known === undefined ? [] : known.#counts);
  }

  /** Names an id, unless it has a name. No two have the same. */
  give(id: string, name: string): void {
    if (this.#names.has(id)) return;
    if (this.#ids.has(name)) throw new Error(`Two ids of one schedule would be called ${name}.`);
    this.#names.set(id, name);
    this.#ids.set(name, id);
  }

  /** Names an id by its maker and how many of the kind that one made before. */
  count(id: string, maker: string): void {
    if (this.#names.has(id)) return;
    const count = (this.#counts.get(maker) ?? 0) + 1;
    this.#counts.set(maker, count);
    this.give(id, `${maker}${count}`);
  }

  /** The id of a name. */
  idOf(name: string): string {
    return this.#ids.get(name) ?? name;
  }

  has(id: string): boolean {
    return this.#names.has(id);
  }

  of(id: string): string {
    return this.#names.get(id) ?? id;
  }

  /** A value as JSON, with names in place of ids and without times. */
  in(value: unknown): string {
    const text = JSON.stringify(value) ?? "nothing";
    return text.replace(ID, (id) => this.of(id)).replace(TIME, "time");
  }
}
