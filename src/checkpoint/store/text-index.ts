import type { IndexConfig } from "@langchain/langgraph-checkpoint";
import { PerdureError } from "../../errors/index.ts";
import type { PutOperation } from "./store-operation.ts";
import { textsAtPath } from "./text-at-path.ts";

/** Embeds the texts of items and of queries with the model of the caller. */
export class TextIndex {
  readonly #config: IndexConfig;

  constructor(config: IndexConfig) {
    this.#config = config;
  }

  /** The vectors of each item, in their order; one call of the model for all. */
  async embedItems(puts: readonly PutOperation[]): Promise<Float32Array[][]> {
    const texts = puts.map((put) => this.#textsOf(put));
    const distinct = [...new Set(texts.flat())];
    if (distinct.length === 0) return texts.map(() => []);
    const vectors = await this.#config.embeddings.embedDocuments(distinct);
    const byText = new Map(distinct.map((text, index) => [text, this.#checked(vectors[index])]));
    return texts.map((own) => own.map((text) => byText.get(text) as Float32Array));
  }

  async embedQuery(query: string): Promise<Float32Array> {
    return this.#checked(await this.#config.embeddings.embedQuery(query));
  }

  #textsOf({ json, index }: PutOperation): string[] {
    if (json === undefined || index === false) return [];
    const value: unknown = JSON.parse(json);
    const paths = index ?? this.#config.fields ?? ["$"];
    return [...new Set(paths.flatMap((path) => textsAtPath(value, path)))];
  }

  #checked(vector: readonly number[] | undefined): Float32Array {
    if (vector?.length === this.#config.dims) return Float32Array.from(vector);
    throw new PerdureError(
      "OPTIONS_INVALID",
      `index.dims is ${this.#config.dims}, but the embeddings gave a vector of ${vector?.length ?? 0}.`,
      { hint: "Set index.dims to what the model gives. Nothing was stored." },
    );
  }
}
